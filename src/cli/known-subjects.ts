// Checks that what is to be revoked exists, since a mistyped name would leave the thief in. An
// unknown service or instance is refused; serials and tokens can't all be known.
import { closest, MeshError } from '../base/index.js';
import type { DataDir } from '../data/index.js';
import { listHandedOut, readHandedOut } from '../leaves/index.js';
import { findService, type Mesh, toNames } from '../policy/index.js';
import {
  type CertificateHolder,
  findCertificates,
  type RevocationSubject,
} from '../revocation/index.js';
import { splitNodeId, splitNodeText } from '../spiffe/index.js';
import { isIssued, openSidecarsFile } from '../tokens/index.js';
import { loadStoredMesh } from './stored-mesh.js';

/**
 * What else the operator should know about it. `even`: a token or certificate that is not known may
 * be meant all the same.
 * @throws MeshError service-unknown, credential-unknown; data-damaged, data-unreadable
 */
export async function checkSubject(
  dataDir: DataDir,
  {
    kind,
    subject,
    nowMs,
    even,
  }: RevocationSubject & { readonly nowMs: number; readonly even: boolean },
): Promise<readonly string[]> {
  if (kind === 'token') {
    if (!even) await refuseUnknownToken(dataDir, subject);
    return toTokenNotes(dataDir, { id: subject, nowMs });
  }
  const { certificates, damaged } = await findCertificates(dataDir, nowMs);
  if (kind === 'serial') return toSerialNotes(subject, { certificates, even });
  const mesh = await tryMesh(dataDir);
  const service = kind === 'service' ? subject : splitNodeText(subject).service;
  if (!even) refuseUnknownService(service, { mesh, certificates });
  if (kind === 'service') return [...toDamagedNotes(damaged), ...toSharedNotes(service, mesh)];
  const found = mesh && findService(mesh, service);
  const names = found === undefined ? [service] : toNames(found);
  if (!even) refuseUnknownNode(subject, { names, certificates });
  return [
    ...toDamagedNotes(damaged),
    'a token that is not bound to this instance works for another one too: revoke it as well',
  ];
}

async function toTokenNotes(
  dataDir: DataDir,
  { id, nowMs }: { readonly id: string; readonly nowMs: number },
): Promise<readonly string[]> {
  const { records, damaged } = await readHandedOut(dataDir);
  const got = records.filter(
    ({ credential, origin, notAfterMs }) =>
      notAfterMs > nowMs &&
      [credential, origin].some((one) => one?.kind === 'token' && one.id === id),
  );
  return [
    ...toDamagedNotes(damaged),
    'sidecars that joined with it keep their certificates: revoke the instance or service too',
    ...got.map(
      ({ serialHex }) =>
        `a certificate was obtained with it: countersign revoke --serial ${serialHex}`,
    ),
  ];
}

/** Records of which nobody knows whose certificate they are. */
function toDamagedNotes(files: readonly string[]): readonly string[] {
  if (files.length === 0) return [];
  return [
    `${files.join(', ')}: damaged, so its certificate is not known to be this one's: if it is, ` +
      'revoke it by its serial too',
  ];
}

/** Known are those that a command made, or that a sidecar or client has used. */
async function refuseUnknownToken(dataDir: DataDir, id: string): Promise<void> {
  if (await isIssued(dataDir, id)) return;
  const seen = (await openSidecarsFile(dataDir).read())?.sidecars ?? [];
  const used = (await listHandedOut(dataDir)).flatMap(({ credential, origin }) => [
    ...(credential?.kind === 'token' ? [credential.id] : []),
    ...(origin?.kind === 'token' ? [origin.id] : []),
  ]);
  if (seen.some(({ token }) => token?.id === id) || used.includes(id)) return;
  throw new MeshError('credential-unknown', `no token with id "${id}" is known here`, {
    hint:
      'the id is what `countersign token` printed beside the token; for one that an earlier ' +
      'version made, and nobody has used, add --yes',
  });
}

function refuseUnknownService(
  service: string,
  { mesh, certificates }: { mesh: Mesh | undefined; certificates: readonly CertificateHolder[] },
): void {
  const known = new Set([...(mesh?.services.keys() ?? []), ...certificates.map((c) => c.service)]);
  // There is nothing to compare with: the folder has only just been made.
  const declared = mesh && findService(mesh, service);
  if (declared !== undefined || known.has(service) || known.size === 0) return;
  const near = closest(service, known);
  const meant = near === undefined ? '' : ` (did you mean "${near}"?)`;
  const message = `no service "${service}" is declared, and none of that name has a certificate`;
  throw new MeshError('service-unknown', `${message}${meant}`, {
    hint: 'its services are the keys under "services" in mesh.yaml',
  });
}

const INSTANCES_LISTED = 10;

/** @param known.names All that its service has or had. */
function refuseUnknownNode(
  node: string,
  known: {
    readonly names: readonly string[];
    readonly certificates: readonly CertificateHolder[];
  },
): void {
  const { names, certificates } = known;
  const { service, instance = '' } = splitNodeText(node);
  const nodes = certificates.filter((one) => names.includes(one.service)).map((one) => one.node);
  const instances = [
    ...new Set(nodes.flatMap((one) => (one === undefined ? [] : [splitNodeId(one).instance]))),
  ];
  if (instances.includes(instance)) return;
  const near = closest(instance, instances);
  const meant = near === undefined ? '' : ` (did you mean "${near}"?)`;
  const message = `no instance "${instance}" of "${service}"`;
  const shown = instances.slice(0, INSTANCES_LISTED).join(', ');
  throw new MeshError('service-unknown', `${message} has a certificate${meant}`, {
    hint:
      instances.length === 0
        ? 'no instance of it has one: revoke its token with --token, or the whole service'
        : `those that do: ${shown}${instances.length > INSTANCES_LISTED ? ', …' : ''}`,
  });
}

function toSerialNotes(
  serialHex: string,
  { certificates, even }: { certificates: readonly CertificateHolder[]; even: boolean },
): readonly string[] {
  if (certificates.some((one) => one.serialHex === serialHex)) return [];
  if (!even) {
    const message = `no unexpired certificate with serial ${serialHex} is known here`;
    throw new MeshError('credential-unknown', message, {
      hint: 'see `countersign cert --list` and `status --json`; --yes refuses it all the same',
    });
  }
  return [
    `no unexpired certificate with serial ${serialHex} is known: it is refused all the same, but ` +
      'connections that are already open with it are not ended',
  ];
}

function toSharedNotes(service: string, mesh: Mesh | undefined): readonly string[] {
  const all = [...(mesh?.services.values() ?? [])];
  const found = mesh && findService(mesh, service);
  const others = all.filter((one) => one !== found && one.spiffeId === found?.spiffeId);
  if (others.length === 0) return [];
  const names = others.map(({ name }) => `"${name}"`).join(', ');
  const verb = others.length === 1 ? ['has', 'is', 'a caller'] : ['have', 'are', 'callers'];
  const [has, is, callers] = verb;
  return [
    `${names} ${has} the same identity (serviceAccount), and ${is} refused as ${callers} too`,
  ];
}

async function tryMesh(dataDir: DataDir): Promise<Mesh | undefined> {
  try {
    return await loadStoredMesh(dataDir);
  } catch (error) {
    // There is none yet, or a newer version wrote it: certificates still show which services exist.
    if (error instanceof MeshError) return undefined;
    throw error;
  }
}
