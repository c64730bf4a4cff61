// Whether what is to be revoked exists: a typing mistake that is taken for a revocation leaves the
// thief in. A service or instance that nobody knows is refused; serials and tokens can't all be
// known.
import { closest, MeshError } from '../base/index.js';
import type { DataDir } from '../data/index.js';
import { listHandedOut } from '../leaves/index.js';
import type { Mesh } from '../policy/index.js';
import {
  type CertificateHolder,
  findCertificates,
  type RevocationSubject,
} from '../revocation/index.js';
import { splitNodeId, splitNodeText } from '../spiffe/index.js';
import { loadStoredMesh } from './stored-mesh.js';

/**
 * What the operator should know of it beside.
 * @throws MeshError service-unknown; data-damaged, data-unreadable
 */
export async function checkSubject(
  dataDir: DataDir,
  { kind, subject, nowMs }: RevocationSubject & { readonly nowMs: number },
): Promise<readonly string[]> {
  if (kind === 'token') return toTokenNotes(dataDir, { id: subject, nowMs });
  const { certificates } = await findCertificates(dataDir, nowMs);
  if (kind === 'serial') return toSerialNotes(subject, certificates);
  const mesh = await tryMesh(dataDir);
  const service = kind === 'service' ? subject : splitNodeText(subject).service;
  refuseUnknownService(service, { mesh, certificates });
  if (kind === 'service') return toSharedNotes(service, mesh);
  refuseUnknownNode(subject, certificates);
  return ['a token that is not bound to this instance is good for another one: revoke it too'];
}

async function toTokenNotes(
  dataDir: DataDir,
  { id, nowMs }: { readonly id: string; readonly nowMs: number },
): Promise<readonly string[]> {
  const got = (await listHandedOut(dataDir)).filter(
    ({ credential, origin, notAfterMs }) =>
      notAfterMs > nowMs &&
      [credential, origin].some((one) => one?.kind === 'token' && one.id === id),
  );
  return [
    'the certificates of sidecars that joined by it stay good: revoke the instance or service too',
    ...got.map(({ serialHex }) => `it got a certificate: countersign revoke --serial ${serialHex}`),
  ];
}

function refuseUnknownService(
  service: string,
  { mesh, certificates }: { mesh: Mesh | undefined; certificates: readonly CertificateHolder[] },
): void {
  const known = new Set([...(mesh?.services.keys() ?? []), ...certificates.map((c) => c.service)]);
  // Nothing to compare with: a folder that was only just made.
  if (known.has(service) || known.size === 0) return;
  const near = closest(service, known);
  const meant = near === undefined ? '' : ` (did you mean "${near}"?)`;
  const message = `no service "${service}" is declared, nor has it a certificate${meant}`;
  throw new MeshError('service-unknown', message, {
    hint: 'its services are the keys under "services" in mesh.yaml',
  });
}

const INSTANCES_TOLD = 10;

function refuseUnknownNode(node: string, certificates: readonly CertificateHolder[]): void {
  const { service, instance = '' } = splitNodeText(node);
  const nodes = certificates.filter((one) => one.service === service).map((one) => one.node);
  const instances = [
    ...new Set(nodes.flatMap((one) => (one === undefined ? [] : [splitNodeId(one).instance]))),
  ];
  if (instances.includes(instance)) return;
  const near = closest(instance, instances);
  const meant = near === undefined ? '' : ` (did you mean "${near}"?)`;
  const message = `no instance "${instance}" of "${service}"`;
  const shown = instances.slice(0, INSTANCES_TOLD).join(', ');
  throw new MeshError('service-unknown', `${message} has a certificate${meant}`, {
    hint:
      instances.length === 0
        ? 'none has: revoke its token by --token, or the service'
        : `those that have: ${shown}${instances.length > INSTANCES_TOLD ? ', …' : ''}`,
  });
}

function toSerialNotes(
  serialHex: string,
  certificates: readonly CertificateHolder[],
): readonly string[] {
  if (certificates.some((one) => one.serialHex === serialHex)) return [];
  return [
    `no certificate in force that this server knows has serial ${serialHex}: it is refused all ` +
      'the same, but open connections that were made with it are not found',
  ];
}

function toSharedNotes(service: string, mesh: Mesh | undefined): readonly string[] {
  const all = [...(mesh?.services.values() ?? [])];
  const found = all.find(({ name }) => name === service);
  const others = all.filter((one) => one !== found && one.spiffeId === found?.spiffeId);
  if (others.length === 0) return [];
  const names = others.map(({ name }) => `"${name}"`).join(', ');
  return [`${names} has the same identity (serviceAccount), and is refused as a caller too`];
}

async function tryMesh(dataDir: DataDir): Promise<Mesh | undefined> {
  try {
    return await loadStoredMesh(dataDir);
  } catch (error) {
    // None yet, or a newer version's: certificates still say which services there are.
    if (error instanceof MeshError) return undefined;
    throw error;
  }
}
