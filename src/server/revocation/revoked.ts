// From the revocations in force to what they mean for a sidecar, and to what translation does.

import type { Mesh, ServiceName } from '../../policy/index.js';
import type { Applicant, Revocations } from '../../revocation/index.js';
import { type NodeId, toNodeId, toSpiffeId } from '../../spiffe/index.js';
import type { Revoked } from '../../translate/index.js';
import type { Proof, Sidecar } from '../join/index.js';
import type { Marks } from './revocation-marks.js';

/** What of a caller can be revoked. */
export function toApplicant(caller: Sidecar | Proof): Applicant {
  const { service, credential } = caller;
  return {
    service,
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

export function toRevoked(
  mesh: Mesh,
  { list, marks }: { readonly list: Revocations; readonly marks: Marks },
): Revoked {
  const services = [...list.values()].flatMap(({ kind, subject }) =>
    kind === 'service' ? [subject as ServiceName] : [],
  );
  const ids = services.map((service) => toRevokedSpiffeId(mesh, service));
  return {
    deniedIds: [...new Set(ids)].sort(),
    services: new Set(services),
    inboundMarks: new Map(Object.entries(marks.inbound)),
    outboundMarks: new Map(Object.entries(marks.outbound)),
  };
}

/** The identity of a service; one that the mesh no longer declares had the one of its name. */
export function toRevokedSpiffeId(mesh: Mesh, service: string): string {
  const found = mesh.services.get(service as ServiceName);
  if (found !== undefined) return found.spiffeId;
  const [serviceAccount = '', namespace = 'default'] = service.split('/').reverse();
  return toSpiffeId({ trustDomain: mesh.trustDomain, namespace, serviceAccount });
}
