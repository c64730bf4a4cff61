// For a bootstrap whose sidecar proves its service with a client certificate: the folder that `cert
// --out` fills, and in it an SDS file that names key and certificate. Envoy reads both again
// whenever a file is moved into the folder. Measured on Envoy 1.40: between the move of a key and
// that of its certificate the two don't match; Envoy then keeps what it has, says so in its log,
// and takes the pair at the second move.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { type Clock, MeshError, type Random, systemErrorCode } from '../base/index.js';
import { findService, type Mesh, type ServiceName, toSpiffeIds } from '../policy/index.js';
import { CERTIFICATE_SECRET, type CertificateSource } from '../translate/bootstrap/index.js';
import { verifyClientCertificate } from '../x509/check/index.js';
import { TYPE_URLS } from '../xds/index.js';
import type { BootstrapFolder } from './bootstrap-folder.js';
import { usage } from './options.js';
import { PRIVATE_MODE, PUBLIC_MODE, writeOutput } from './output-file.js';

export interface CertificateSourceRequest {
  /** As `cert --out` makes it. */
  readonly dir: string;
  /** To which the pair is copied; undefined: it is used where it is. */
  readonly folder?: BootstrapFolder | undefined;
  readonly service: ServiceName;
  /** In force. If there is none yet, only connecting shows whose certificate it is. */
  readonly mesh: Mesh | undefined;
  readonly clock: Clock;
  readonly random: Random;
}

const SDS_FILE = 'xds-client.sds.json';
const PAIR = [
  ['key.pem', PRIVATE_MODE],
  ['cert.pem', PUBLIC_MODE],
] as const;

/**
 * Writes the SDS file into a folder that has a valid key and certificate.
 * @throws MeshError usage if there are none; certificate-refused, certificate-invalid if they
 * aren't valid; token-wrong-service if they are another service's; file-unwritable.
 */
export async function provideCertificate(
  request: CertificateSourceRequest,
): Promise<CertificateSource> {
  const { service, mesh, clock, random } = request;
  const dir = resolve(request.dir);
  const certificate = await readPair(dir, service);
  if (mesh !== undefined) {
    const rules = { trustDomain: mesh.trustDomain, nowMs: clock.now() };
    const { spiffeId } = verifyClientCertificate(certificate.raw, rules);
    const declared = findService(mesh, service);
    if (declared !== undefined && !toSpiffeIds(declared).includes(spiffeId))
      throw anothers(dir, service, spiffeId);
  }
  const toFile = request.folder?.toFile ?? inPlace(dir);
  if (request.folder !== undefined) {
    const files = [...PAIR, ['bundle.pem', PUBLIC_MODE]] as const;
    for (const [name, mode] of files) {
      const content = await read(join(dir, name), service, dir);
      await writeOutput({ path: toFile(name).path, content, mode, random });
    }
  }
  const sds = toFile(SDS_FILE);
  const content = `${JSON.stringify(toSdsFile(toFile), undefined, 2)}\n`;
  await writeOutput({ path: sds.path, content, mode: PRIVATE_MODE, random });
  return { sdsPath: sds.named };
}

function inPlace(dir: string): BootstrapFolder['toFile'] {
  return (name) => ({ path: join(dir, name), named: join(dir, name) });
}

/** What Envoy reads to find the pair: a DiscoveryResponse in ProtoJSON. */
function toSdsFile(toFile: BootstrapFolder['toFile']): object {
  const { named } = toFile('cert.pem');
  const resource = {
    '@type': TYPE_URLS.secret,
    name: CERTIFICATE_SECRET,
    tls_certificate: {
      certificate_chain: { filename: named },
      private_key: { filename: toFile('key.pem').named },
      watched_directory: { path: dirname(named) },
    },
  };
  return { resources: [resource] };
}

async function readPair(dir: string, service: ServiceName): Promise<X509Certificate> {
  // One after the other: of two that can't be read, the same one is named each time.
  const keyPem = await read(join(dir, 'key.pem'), service, dir);
  const certificatePem = await read(join(dir, 'cert.pem'), service, dir);
  try {
    const certificate = new X509Certificate(certificatePem);
    if (certificate.checkPrivateKey(createPrivateKey(keyPem))) return certificate;
  } catch {
    // The error's text may contain the key.
  }
  const message = `expected key.pem and cert.pem in ${dir} to belong together but they do not`;
  throw new MeshError('certificate-invalid', message, { hint: toHint(service, dir) });
}

async function read(path: string, service: ServiceName, dir: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const got = systemErrorCode(error) ?? 'an error';
    throw usage(`--cert: expected a file to read at ${path} but got ${got}`, toHint(service, dir));
  }
}

function anothers(dir: string, service: ServiceName, spiffeId: string): MeshError {
  const message = `expected a certificate of "${service}" in ${dir} but got one of ${spiffeId}`;
  return new MeshError('token-wrong-service', message, {
    hint: 'name another folder: each service has a certificate of its own',
  });
}

function toHint(service: ServiceName, dir: string): string {
  return `make them first: countersign cert ${service} --out ${dir} --watch`;
}
