// Opening the outside CA: by the server, from mesh.yaml, with everything checked and recorded
// before it is used; by a command, from the record. No connection is made here: a mesh starts while
// its CA is away, and leaves in force stay.
import { MeshError } from '../../base/index.js';
import type { DataDir } from '../../data/index.js';
import { splitPem } from '../../x509/read/index.js';
import {
  type AuthorityOptions,
  type LocalAuthority,
  loadAuthority,
  readAuthority,
} from '../index.js';
import { readStepCaRecord, removeRecord, type StepCaRecord, writeRecord } from './record.js';
import {
  isOpenToOthers,
  parseRoots,
  type Roots,
  readProvisionerKey,
  readRoots,
  type StepCaSettings,
} from './settings.js';
import { StepCaAuthority } from './step-ca-authority.js';

export interface OpenStepCaOptions extends AuthorityOptions {
  readonly trustDomain: string;
  readonly settings: StepCaSettings;
}

/** Whose keys are in the data folder, or elsewhere. */
export type StoredAuthority = LocalAuthority | StepCaAuthority;

export interface OpenedStepCa {
  readonly authority: StepCaAuthority;
  /** What the operator should know; nothing that keeps the CA from being used. */
  readonly warnings: readonly string[];
}

/**
 * The CA that mesh.yaml names, recorded in the data folder.
 * @throws MeshError outside-ca-invalid for a setting, a file, or roots that no verifier trusts;
 * identity-invalid where the folder belongs to another trust domain; data-unwritable, data-damaged.
 */
export async function openStepCa(options: OpenStepCaOptions): Promise<OpenedStepCa> {
  const { dataDir, clock, trustDomain, settings } = options;
  // One after the other: of several that can't be read, the same one is named each time.
  const roots = await readRoots(settings, { trustDomain, nowMs: clock.now() });
  const before = await readStepCaRecord(dataDir);
  await readProvisionerKey(settings);
  if (before !== undefined) {
    assertDomain(before, trustDomain);
    assertContinues(before, { roots, settings });
  }
  const { url, provisioner, keyPath } = settings;
  await writeRecord(dataDir, { trustDomain, url, provisioner, keyPath, rootsPem: roots.pem });
  const warnings = [];
  if (await isOpenToOthers(keyPath)) {
    warnings.push(`${keyPath} can sign any identity of the mesh and is open to others: chmod 600`);
  }
  if (before === undefined && (await hasOwnAuthority(options))) {
    warnings.push(
      'the outside CA replaces the own CA of the data folder: calls may fail meanwhile',
    );
  }
  return { authority: create(options, settings, roots), warnings };
}

/**
 * The authority that the server of this data folder uses, own or outside.
 * @param how `trustDomain`: refuse another one's; undefined: take what is there.
 * @throws MeshError data-missing where there is none yet; else as `loadAuthority`, `openStepCa`.
 */
export async function openStoredAuthority(
  options: AuthorityOptions,
  how: { readonly trustDomain?: string } = {},
): Promise<StoredAuthority> {
  const record = await readStepCaRecord(options.dataDir);
  if (record === undefined) return loadAuthority(options, how);
  if (how.trustDomain !== undefined) assertDomain(record, how.trustDomain);
  const at = { trustDomain: record.trustDomain, nowMs: options.clock.now() };
  return create({ ...options, ...at }, record, parseRoots(record.rootsPem, at));
}

type AuthorityFacts = Awaited<ReturnType<typeof readAuthority>>;

/** What commands show of an authority: none of it needs a key. */
export type ShownAuthority = Pick<
  AuthorityFacts,
  'trustDomain' | 'trustAnchorsPem' | 'describe'
> & {
  /** Undefined: the CA is an outside one. */
  readonly own: AuthorityFacts | undefined;
};

/**
 * What may be shown of the authority that the server of this data folder uses.
 * @throws MeshError data-missing where there is none yet; data-damaged, data-unreadable
 */
export async function showStoredAuthority(
  options: Omit<AuthorityOptions, 'passphrase' | 'keySource'>,
): Promise<ShownAuthority> {
  const { dataDir } = options;
  if ((await readStepCaRecord(dataDir)) === undefined) {
    const own = await readAuthority(dataDir);
    return toShown(own, own);
  }
  return toShown(await openStoredAuthority(options), undefined);
}

function toShown(
  authority: Pick<AuthorityFacts, 'trustDomain' | 'trustAnchorsPem' | 'describe'>,
  own: AuthorityFacts | undefined,
): ShownAuthority {
  const { trustDomain, trustAnchorsPem } = authority;
  return { trustDomain, trustAnchorsPem, describe: () => authority.describe(), own };
}

/** For what only a CA in the data folder can do. @throws MeshError request-invalid */
export async function assertOwnAuthority(dataDir: DataDir): Promise<void> {
  const record = await readStepCaRecord(dataDir);
  if (record === undefined) return;
  const message = `expected the server's own CA but the mesh's is the step-ca at ${record.url}`;
  throw new MeshError('request-invalid', message, {
    hint: 'change the root at that CA; the file of authority.stepCa.root may hold old and new',
  });
}

/** The mesh has its own CA again; whether it had an outside one. @throws data-unwritable */
export async function forgetStepCa(dataDir: DataDir): Promise<boolean> {
  if ((await readStepCaRecord(dataDir)) === undefined) return false;
  await removeRecord(dataDir);
  return true;
}

function create(
  { clock, random, keySource, trustDomain }: AuthorityOptions & { readonly trustDomain: string },
  { url, provisioner, keyPath }: Pick<StepCaSettings, 'url' | 'provisioner' | 'keyPath'>,
  roots: Roots,
): StepCaAuthority {
  return new StepCaAuthority({
    trustDomain,
    url,
    roots,
    provisioner,
    provisionerKey: () => readProvisionerKey({ keyPath }),
    clock,
    random,
    ...(keySource === undefined ? {} : { keySource }),
  });
}

async function hasOwnAuthority(options: AuthorityOptions): Promise<boolean> {
  try {
    await loadAuthority(options);
    return true;
  } catch (error) {
    // What can't be loaded is there all the same.
    return !(error instanceof MeshError && error.code === 'data-missing');
  }
}

/** Peers trust the former roots until each has got the new ones: one must be among both. */
function assertContinues(
  before: StepCaRecord,
  { roots, settings }: { readonly roots: Roots; readonly settings: StepCaSettings },
): void {
  const former = splitPem(before.rootsPem);
  if (roots.facts.some(({ der }) => former.some((each) => each.equals(der)))) return;
  throw new MeshError(
    'outside-ca-invalid',
    `expected a root in ${settings.rootPath} that the mesh's peers trust but got only new ones`,
    {
      path: 'authority.stepCa.root',
      hint:
        'put the old root into the file beside the new one until all certificates are of the new ' +
        'one, or remove step-ca.json from the data folder and let calls fail for a while',
    },
  );
}

function assertDomain(record: StepCaRecord, trustDomain: string): void {
  if (record.trustDomain === trustDomain) return;
  const [expected, got] = [record.trustDomain, trustDomain].map((text) => JSON.stringify(text));
  throw new MeshError(
    'identity-invalid',
    `expected trust domain ${expected}, which the data folder belongs to, but got ${got}`,
    { path: 'trustDomain', variant: 'trust-domain' },
  );
}
