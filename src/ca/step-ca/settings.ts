// An outside CA as mesh.yaml names it, its files read and checked. The roots are read once: they
// are what every verifier of the mesh trusts, and replacing those is more than reading a file
// again. The provisioner's key is read for each token, so that it can be replaced without a
// restart.
import { stat } from 'node:fs/promises';
import { MeshError } from '../../base/index.js';
import { caProblems } from '../../x509/check/index.js';
import { type CertificateFacts, readCertificate, splitPem, toPem } from '../../x509/read/index.js';
import { readSmallFile } from './files.js';
import { type ProvisionerKey, parseProvisionerKey } from './provisioner-key.js';

export interface StepCaSettings {
  /** `https://host:port`, nothing behind it. */
  readonly url: string;
  /** PEM file of the roots: the mesh's trust anchors. */
  readonly rootPath: string;
  /** Name of a JWK provisioner. */
  readonly provisioner: string;
  /** File with its private key. */
  readonly keyPath: string;
}

export interface Roots {
  readonly facts: readonly CertificateFacts[];
  /** The same, each in canonical PEM. */
  readonly pem: string;
}

/** A CA has one root, or two while it replaces one; a bundle of the world's roots is a mistake. */
const MAX_ROOTS = 16;
const OPEN_TO_OTHERS = 0o077;

/** @throws MeshError outside-ca-invalid */
export async function readRoots(
  { rootPath }: Pick<StepCaSettings, 'rootPath'>,
  options: { readonly trustDomain: string; readonly nowMs: number },
): Promise<Roots> {
  const at = { path: 'authority.stepCa.root' };
  const text = await readSmallFile(rootPath, { what: 'the root certificates of the CA', ...at });
  try {
    return parseRoots(text, options);
  } catch (error) {
    if (!(error instanceof MeshError)) throw error;
    throw new MeshError('outside-ca-invalid', `${rootPath}: ${error.message}`, {
      ...at,
      hint: error.hint ?? "name the file of the CA's self-signed root, such as root_ca.crt",
    });
  }
}

/** @throws MeshError certificate-invalid */
export function parseRoots(
  text: string,
  { trustDomain, nowMs }: { readonly trustDomain: string; readonly nowMs: number },
): Roots {
  const facts = splitPem(text).map(readCertificate);
  if (facts.length > MAX_ROOTS) {
    const message = `expected at most ${MAX_ROOTS} roots but got ${facts.length}`;
    throw new MeshError('certificate-invalid', message);
  }
  const problems = facts.flatMap((root) => {
    const found = caProblems({ facts: root, issuer: root, trustDomain, pathLength: 0, nowMs });
    const name = root.x509.subject.replaceAll('\n', ', ');
    return found.length === 0 ? [] : [`root "${name}": ${found.join(', ')}`];
  });
  if (problems.length > 0) throw new MeshError('certificate-invalid', problems.join('; '));
  return { facts, pem: facts.map(({ der }) => toPem(der)).join('') };
}

/** @throws MeshError outside-ca-invalid */
export async function readProvisionerKey({
  keyPath,
}: Pick<StepCaSettings, 'keyPath'>): Promise<ProvisionerKey> {
  const at = { path: 'authority.stepCa.key' };
  const text = await readSmallFile(keyPath, { what: "the provisioner's key", ...at });
  return parseProvisionerKey(text, keyPath);
}

/** Whether others than its owner may read or change the key's file. */
export async function isOpenToOthers(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && (found.mode & OPEN_TO_OTHERS) !== 0;
}
