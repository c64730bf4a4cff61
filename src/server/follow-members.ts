// What is remembered of sidecars that come, go and are refused: for whoever asks who is missing.
import type { Closers } from '../base/index.js';
import type { Members, RefusedStream, Roster } from './fleet/index.js';
import { partyOf, type Refusals } from './join/index.js';

export interface FollowMembersOptions {
  readonly members: Members;
  readonly roster: Roster;
  readonly refusals: Refusals;
}

/** To be called once the xDS port is among the closers: it ends streams, and nobody leaves then. */
export function followMembers(options: FollowMembersOptions, closers: Closers): void {
  const { members, roster, refusals } = options;
  members.joined.add(({ auth, peerAddress }) => {
    roster.joined(auth);
    refusals.joined(peerAddress, auth);
  });
  members.left.add(({ auth }) => roster.left(auth));
  members.refused.add((refused) => noteRefused(refused, refusals));
  closers.defer(() => roster.stop());
}

function noteRefused({ stream, error, holder }: RefusedStream, refusals: Refusals): void {
  const { auth, peerAddress: peer } = stream;
  const conflict = holder === undefined ? {} : { address: auth.address, holder };
  refusals.note({ peer, party: partyOf(auth), claim: auth.node, ...conflict }, error);
}
