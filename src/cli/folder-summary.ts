// How `backup` and `restore` describe a data folder: by its trust domain, and by the roots that
// people recognise it by.
import { MeshError } from '../base/index.js';
import { showStoredAuthority } from '../ca/step-ca/index.js';
import { type DataDir, openDataDir } from '../data/index.js';
import { type Context, writeLine } from '../terminal/index.js';

/** Null if the folder has no authority, or one that can't be used. */
export interface FolderSummary {
  readonly trustDomain: string | null;
  /** SHA-256, lower-case hex. */
  readonly rootFingerprints: readonly string[];
}

/** Says on stderr why a folder's authority can't be shown, since that may be what is wrong. */
export async function summarizeFolder(path: string, context: Context): Promise<FolderSummary> {
  const { random, stderr } = context;
  try {
    const dataDir = await openDataDir({ path, lock: false, create: false, random });
    return await summarize(dataDir, context);
  } catch (error) {
    if (!(error instanceof MeshError)) throw error;
    writeLine(stderr, `warning: ${error.message}`);
    return { trustDomain: null, rootFingerprints: [] };
  }
}

async function summarize(dataDir: DataDir, { clock, random }: Context): Promise<FolderSummary> {
  const authority = await showStoredAuthority({ dataDir, clock, random });
  const roots = authority.describe().filter(({ kind }) => kind === 'root');
  return {
    trustDomain: authority.trustDomain,
    rootFingerprints: roots.map(({ fingerprintSha256 }) => fingerprintSha256),
  };
}

export function toSummaryLines({ trustDomain, rootFingerprints }: FolderSummary): string[] {
  if (trustDomain === null) return [];
  return [
    `trust domain ${trustDomain}`,
    ...rootFingerprints.map((fingerprint) => `root sha256 ${fingerprint}`),
  ];
}
