// From the revocations in force to what they mean for a sidecar, and to what translation does.

import { findService, type Mesh, type ServiceName } from '../../policy/index.js';
import type { Applicant, Revocations } from '../../revocation/index.js';
import { type NodeId, toNodeId } from '../../spiffe/index.js';
import type { Revoked } from '../../translate/index.js';
import type { Proof, Sidecar } from '../join/index.js';
import { type AccessMarks, NO_ACCESS_MARKS } from '../mesh/index.js';
import type { Marks } from './revocation-marks.js';
import { toKnownNames, toRevokedSpiffeIds } from './revoked-identity.js';

/** What of a caller can be revoked. */
export function toApplicant(caller: Sidecar | Proof, mesh: Mesh): Applicant {
  const { service, credential } = caller;
  return {
    service,
    names: toKnownNames([mesh], service),
    node: toNode(caller),
    tokenId: credential.kind === 'token' ? credential.id : undefined,
    certificateSerialHex: credential.kind === 'certificate' ? credential.serialHex : undefined,
  };
}

function toNode(caller: Sidecar | Proof): NodeId | undefined {
  if ('node' in caller) return caller.node;
  const { service, instance } = caller;
  return instance === undefined ? undefined : toNodeId({ service, instance });
}

export interface RevokedInput {
  readonly list: Revocations;
  readonly marks: Marks;
  /** Of edits that took something away. */
  readonly accessMarks?: AccessMarks;
}

export function toRevoked(
  mesh: Mesh,
  { list, marks, accessMarks = NO_ACCESS_MARKS }: RevokedInput,
): Revoked {
  const services = [...list.values()].flatMap(({ kind, subject }) =>
    kind === 'service' ? [findService(mesh, subject)?.name ?? (subject as ServiceName)] : [],
  );
  const ids = services.flatMap((service) => toRevokedSpiffeIds(mesh, service));
  return {
    deniedIds: [...new Set(ids)].sort(),
    services: new Set(services),
    inboundMarks: toBoth(marks.inbound, accessMarks.identities),
    plainMarks: new Map(Object.entries(accessMarks.plain)),
    outboundMarks: new Map(Object.entries(marks.outbound)),
  };
}

/** A port's mark changes with either. */
function toBoth(
  ofRevocations: Readonly<Record<string, string>>,
  ofEdits: Readonly<Record<string, string>>,
): ReadonlyMap<string, string> {
  const both = new Map(Object.entries(ofRevocations));
  for (const [port, mark] of Object.entries(ofEdits)) {
    const first = both.get(port);
    both.set(port, first === undefined ? mark : `${first} ${mark}`);
  }
  return both;
}
