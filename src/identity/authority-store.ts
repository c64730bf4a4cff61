// Where the authority lives between starts: one file with everything in it. The file appears by one
// link or one rename, so that a crash at any step leaves no authority or a whole one, and of two
// processes that make it at once one wins and the other takes over the winner's. What is found is
// checked before use and never overwritten: a mesh whose root is replaced unnoticed has lost every
// peer.
import { createPrivateKey } from 'node:crypto';
import { z } from 'zod';
import { type Clock, MeshError, type Random } from '../base/index.js';
import { type Authority, LocalAuthority } from './authority.js';
import {
  type AuthorityMaterial,
  type AuthorityTools,
  createMaterial,
  materialProblems,
} from './authority-material.js';
import { readCertificate, splitPem } from './certificate-reader.js';
import { type DataDir, damaged } from './data-dir.js';
import type { Issuer } from './issue.js';
import { generateKeys, type KeySource } from './keys.js';
import { parseStored } from './stored-json.js';

export interface AuthorityOptions {
  readonly dataDir: DataDir;
  readonly clock: Clock;
  readonly random: Random;
  /** Default: `generateKeys`. */
  readonly keySource?: KeySource;
}

const FILE = 'authority.json';
const pair = z.strictObject({ certificatePem: z.string(), privateKeyPem: z.string() });
const schema = z.strictObject({
  version: z.literal(1),
  trustDomain: z.string(),
  root: pair,
  intermediate: pair,
});

/**
 * The authority of the data folder, made on first use; stored before it is returned.
 * @throws MeshError data-damaged, data-unwritable, data-unreadable; certificate-invalid for an
 * ended root; identity-invalid where the folder belongs to another trust domain.
 */
export async function loadOrCreateAuthority(
  options: AuthorityOptions & { readonly trustDomain: string },
): Promise<{ readonly authority: Authority; readonly created: boolean }> {
  const { dataDir, trustDomain } = options;
  const found = await tryLoad(options);
  if (found !== undefined) {
    return { authority: toAuthority(ofDomain(found, trustDomain), options), created: false };
  }
  const made = await createMaterial(trustDomain, toTools(options));
  const created = await dataDir.create(FILE, serialize(made));
  if (created) return { authority: toAuthority(made, options), created };
  return { authority: await loadAuthority(options, trustDomain), created };
}

/**
 * The authority of the data folder.
 * @param trustDomain Refuse another one's; undefined: take what is there.
 * @throws MeshError data-missing where there is none; else as `loadOrCreateAuthority`.
 */
export async function loadAuthority(
  options: AuthorityOptions,
  trustDomain?: string,
): Promise<Authority> {
  const found = await tryLoad(options);
  if (found === undefined) {
    const message = `expected an authority in ${options.dataDir.path} but there is none`;
    throw new MeshError('data-missing', message, {
      hint: 'start `countersign serve` once with the same --data: it creates one',
    });
  }
  return toAuthority(trustDomain === undefined ? found : ofDomain(found, trustDomain), options);
}

async function tryLoad({
  dataDir,
  clock,
}: AuthorityOptions): Promise<AuthorityMaterial | undefined> {
  const stored = await parseStored({ dataDir, name: FILE, schema });
  if (stored === undefined) return undefined;
  const material = toMaterial(stored, dataDir);
  const problems = materialProblems(material, clock.now());
  if (problems.length > 0) throw unusable(dataDir, problems.join('; '), material, clock.now());
  return material;
}

function toMaterial(stored: z.infer<typeof schema>, dataDir: DataDir): AuthorityMaterial {
  try {
    return {
      trustDomain: stored.trustDomain,
      root: toIssuer(stored.root),
      intermediate: toIssuer(stored.intermediate),
    };
  } catch (error) {
    const what = error instanceof MeshError ? error.message : 'expected keys but got other text';
    throw damaged({ dataDir, name: FILE, what });
  }
}

function toIssuer({ certificatePem, privateKeyPem }: z.infer<typeof pair>): Issuer {
  const [der = Buffer.alloc(0)] = splitPem(certificatePem);
  const facts = readCertificate(der);
  const privateKey = createPrivateKey(privateKeyPem);
  return { facts, pem: certificatePem, privateKeyPem, privateKey };
}

function unusable(
  dataDir: DataDir,
  what: string,
  material: AuthorityMaterial,
  nowMs: number,
): MeshError {
  if (material.root.facts.notAfterMs > nowMs) return damaged({ dataDir, name: FILE, what });
  return new MeshError('certificate-invalid', `${dataDir.path}/${FILE}: ${what}`, {
    hint: 'every leaf under it has ended: move the file away and start again with a new root',
  });
}

function ofDomain(material: AuthorityMaterial, trustDomain: string): AuthorityMaterial {
  if (material.trustDomain === trustDomain) return material;
  const [expected, got] = [material.trustDomain, trustDomain].map((text) => JSON.stringify(text));
  throw new MeshError(
    'identity-invalid',
    `expected trust domain ${expected}, which the data folder belongs to, but got ${got}`,
    { path: 'trustDomain', hint: 'set it back, or start with another folder by --data' },
  );
}

function toAuthority(material: AuthorityMaterial, options: AuthorityOptions): Authority {
  return new LocalAuthority(material, toTools(options), (next) =>
    options.dataDir.write(FILE, serialize(next)),
  );
}

function toTools({ clock, random, keySource }: AuthorityOptions): AuthorityTools {
  return { clock, random, keySource: keySource ?? generateKeys };
}

function serialize({ trustDomain, root, intermediate }: AuthorityMaterial): string {
  const toPair = ({ pem, privateKeyPem }: Issuer) => ({ certificatePem: pem, privateKeyPem });
  const stored: z.infer<typeof schema> = {
    version: 1,
    trustDomain,
    root: toPair(root),
    intermediate: toPair(intermediate),
  };
  return `${JSON.stringify(stored, undefined, 1)}\n`;
}
