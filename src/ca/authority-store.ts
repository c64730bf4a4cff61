// Where the authority lives between starts: one file with everything in it. The file appears by one
// link or one rename, so that a crash at any step leaves no authority or a whole one, and of two
// processes that make it at once one wins and the other takes over the winner's. What is found is
// checked before use and never overwritten: where a mesh's root is replaced unnoticed, nobody
// trusts anybody.
import { type Clock, MeshError, type Random } from '../base/index.js';
import { createJsonStore, type DataDir, type DurableStore, damaged } from '../data/index.js';
import { assertNeverThere } from '../data/manifest/index.js';
import { generateKeys, type KeySource } from '../x509/keys/index.js';
import { LocalAuthority } from './authority.js';
import { AuthorityFacts } from './authority-facts.js';
import {
  authoritySchema,
  hasOpenKey,
  isPassphraseError,
  type StoredAuthority,
  toMaterial,
  toPublicMaterial,
  toStoredAuthority,
} from './authority-file.js';
import {
  type AuthorityMaterial,
  type AuthorityTools,
  type CaChain,
  createMaterial,
  materialProblems,
} from './authority-material.js';

export interface AuthorityOptions {
  readonly dataDir: DataDir;
  readonly clock: Clock;
  readonly random: Random;
  /** Default: `generateKeys`. */
  readonly keySource?: KeySource;
  /** Opens the authority's keys, and encrypts what is stored from now on; undefined: plain. */
  readonly passphrase?: string | undefined;
}

const FILE = 'authority.json';

/**
 * The authority of the data folder, made on first use; stored before it is returned. It renews its
 * issuing CA: for the one process that holds the folder's lock.
 * @throws MeshError data-lost where there was one; data-damaged, data-unwritable, data-unreadable;
 * identity-invalid where the folder belongs to another trust domain; passphrase-missing,
 * passphrase-wrong.
 */
export async function loadOrCreateAuthority(
  options: AuthorityOptions & { readonly trustDomain: string },
): Promise<{ readonly authority: LocalAuthority; readonly created: boolean }> {
  const { dataDir, trustDomain, passphrase } = options;
  const found = await tryLoad(options);
  if (found !== undefined) {
    const material = ofDomain(found.material, trustDomain);
    const authority = toAuthority(material, options, true);
    if (passphrase !== undefined && hasOpenKey(found.stored)) await save(material, options);
    return { authority, created: false };
  }
  await assertNeverThere(dataDir, FILE);
  const made = await createMaterial(trustDomain, toTools(options));
  const created = await openStore(dataDir).create(toStoredAuthority(made, passphrase));
  if (created) return { authority: toAuthority(made, options, true), created };
  return { authority: await loadAuthority(options, { trustDomain, renews: true }), created };
}

/**
 * The authority of the data folder.
 * @param how `trustDomain`: refuse another one's; undefined: take what is there. `renews`: see
 * `loadOrCreateAuthority`; by default the issuing CA stays as it is, whoever else uses the folder.
 * @throws MeshError data-missing where there is none; else as `loadOrCreateAuthority`.
 */
export async function loadAuthority(
  options: AuthorityOptions,
  how: { readonly trustDomain?: string; readonly renews?: boolean } = {},
): Promise<LocalAuthority> {
  const found = await tryLoad(options);
  if (found === undefined) throw await noAuthority(options.dataDir);
  const { trustDomain, renews = false } = how;
  const { material } = found;
  const own = trustDomain === undefined ? material : ofDomain(material, trustDomain);
  return toAuthority(own, options, renews);
}

/** @throws MeshError data-lost where there was one */
async function noAuthority(dataDir: DataDir): Promise<MeshError> {
  await assertNeverThere(dataDir, FILE);
  const message = `expected an authority in ${dataDir.path} but there is none`;
  return new MeshError('data-missing', message, { variant: 'authority' });
}

/**
 * Makes an authority of a chain that somebody brought; false where the folder has one already.
 * @throws MeshError data-lost where it had another; data-unwritable
 */
export async function createAuthority(
  options: AuthorityOptions & { readonly trustDomain: string },
  chain: CaChain,
): Promise<boolean> {
  const { dataDir, trustDomain, passphrase } = options;
  if ((await dataDir.read(FILE)) === undefined) await assertNeverThere(dataDir, FILE);
  const material = { trustDomain, current: chain, retired: [], change: undefined };
  return openStore(dataDir).create(toStoredAuthority(material, passphrase));
}

/**
 * What the authority of a data folder says without its keys, whatever their passphrase, and though
 * it may have ended.
 * @throws MeshError data-missing where there is none; data-damaged, data-unreadable
 */
export async function readAuthority(dataDir: DataDir): Promise<AuthorityFacts> {
  const stored = await openStore(dataDir).read();
  if (stored === undefined) throw await noAuthority(dataDir);
  try {
    return new AuthorityFacts(toPublicMaterial(stored));
  } catch {
    throw damaged({ dataDir, name: FILE, what: 'expected certificates but got other text' });
  }
}

/**
 * A file of version 1 has a root and an issuing CA, and nothing else; a change of version 2 goes to
 * its end by itself.
 */
function openStore(dataDir: DataDir): DurableStore<StoredAuthority> {
  const schema = authoritySchema;
  return createJsonStore({ dataDir, name: FILE, schema, version: 3, alsoReads: [1, 2] });
}

interface Found {
  readonly stored: StoredAuthority;
  readonly material: AuthorityMaterial;
}

async function tryLoad(options: AuthorityOptions): Promise<Found | undefined> {
  const { dataDir, passphrase } = options;
  const stored = await openStore(dataDir).read();
  if (stored === undefined) return undefined;
  const material = toMaterialOf(stored, dataDir, passphrase);
  const problems = materialProblems(material);
  if (problems.length > 0) throw damaged({ dataDir, name: FILE, what: problems.join('; ') });
  return { stored, material };
}

function toMaterialOf(
  stored: StoredAuthority,
  dataDir: DataDir,
  passphrase: string | undefined,
): AuthorityMaterial {
  try {
    return toMaterial(stored, passphrase);
  } catch (error) {
    if (isPassphraseError(error)) throw ofFile(error, dataDir);
    const what = error instanceof MeshError ? error.message : 'expected keys but got other text';
    throw damaged({ dataDir, name: FILE, what });
  }
}

function ofFile(error: MeshError, dataDir: DataDir): MeshError {
  const { code, message } = error;
  return new MeshError(code, `${dataDir.path}/${FILE}: ${message}`, {
    variant: 'ca',
  });
}

function ofDomain(material: AuthorityMaterial, trustDomain: string): AuthorityMaterial {
  if (material.trustDomain === trustDomain) return material;
  const [expected, got] = [material.trustDomain, trustDomain].map((text) => JSON.stringify(text));
  throw new MeshError(
    'identity-invalid',
    `expected trust domain ${expected}, which the data folder belongs to, but got ${got}`,
    { path: 'trustDomain', variant: 'trust-domain' },
  );
}

function toAuthority(
  material: AuthorityMaterial,
  options: AuthorityOptions,
  renews: boolean,
): LocalAuthority {
  const tools = toTools(options);
  return new LocalAuthority(material, { ...tools, renews, save: (next) => save(next, options) });
}

function save(material: AuthorityMaterial, options: AuthorityOptions): Promise<void> {
  return openStore(options.dataDir).write(toStoredAuthority(material, options.passphrase));
}

function toTools({ clock, random, keySource }: AuthorityOptions): AuthorityTools {
  return { clock, random, keySource: keySource ?? generateKeys };
}
