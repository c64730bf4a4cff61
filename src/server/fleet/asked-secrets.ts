// What a static Envoy asks for, and whether it has it: it takes secrets alone, each by its name,
// and nothing but its own requests says which.
import { ANCHORS_SECRET, IDENTITY_SECRET } from '../../translate/index.js';
import { rejectionOf, type Snapshot, TYPE_URLS } from '../../xds/index.js';
import type { ProxyState } from '../mesh/index.js';
import type { SidecarStream } from './sidecar-stream.js';

type Stream = Pick<SidecarStream, 'state' | 'isInForce'>;
const typeUrl = TYPE_URLS.secret;

/** Of what there is for it, what the stream asks for. */
export function toKnownSecrets(stream: Stream, snapshot: Snapshot): ReadonlySet<string> {
  const all = snapshot.get(typeUrl)?.resources ?? new Map<string, never>();
  const names = [...all.keys()];
  const { wildcard, names: asked } = toInterest(stream);
  return new Set(wildcard ? names : names.filter((name) => asked.has(name)));
}

/** What it asks for though there is none; nothing where there is nothing at all for it. */
export function toUnknownSecrets(stream: Stream, snapshot: Snapshot): readonly string[] {
  const all = snapshot.get(typeUrl)?.resources;
  if (all === undefined || all.size === 0) return [];
  return [...toInterest(stream).names].filter((name) => !all.has(name)).sort();
}

/** What of the snapshot one stream has: the state of a node is the worst of its streams'. */
export function judgeSecrets(stream: Stream, snapshot: Snapshot): ProxyState {
  if (stream.state().some((report) => rejectionOf(report) !== undefined)) return 'nacked';
  const resources = snapshot.get(typeUrl)?.resources;
  for (const name of toKnownSecrets(stream, snapshot)) {
    const version = resources?.get(name)?.version ?? '';
    if (!stream.isInForce({ typeUrl, name, version })) return 'pending';
  }
  return toUnknownSecrets(stream, snapshot).length > 0 ? 'unbound' : 'synced';
}

/** Whether it takes something that an edit of the mesh changes: whom its tcp ports let in. */
export function takesCallers(stream: Stream, snapshot: Snapshot): boolean {
  const names = [...toKnownSecrets(stream, snapshot)];
  return names.some((name) => name !== IDENTITY_SECRET && name !== ANCHORS_SECRET);
}

/** The worst first. */
const STATES: readonly ProxyState[] = ['nacked', 'pending', 'held', 'unbound', 'synced'];

/** Of several streams of one Envoy: it has what it is to have where all of them have. */
export function worstOf(states: readonly ProxyState[]): ProxyState {
  return STATES.find((state) => states.includes(state)) ?? 'pending';
}

function toInterest(stream: Stream) {
  const report = stream.state().find((one) => one.typeUrl === typeUrl);
  return report ?? { wildcard: false, names: new Set<string>() };
}
