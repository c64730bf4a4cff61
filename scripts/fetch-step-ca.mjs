// Builds the real step-ca that test/step-ca runs against, into .cache/step-ca/<version>/, and
// prints its path; does nothing where it is there. Needs Go and takes minutes: CI runs it before
// the tests, `npm test` doesn't. The module is pinned by version and checksum; its own go.sum pins
// the rest.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const VERSION = '0.30.2';
const MODULE = 'github.com/smallstep/certificates';
const SUM = 'h1:1G3xBi8sJ740iA1mMPW2Svv7EIZKJ4Zf/iQtA5QlN0Y=';
const TIMEOUT_MS = 20 * 60_000;

const cache = fileURLToPath(new URL('../.cache/step-ca/', import.meta.url));
const target = join(cache, VERSION, 'step-ca');

function go(args, env = {}) {
  const stdio = ['ignore', 'pipe', 'inherit'];
  return execFileSync('go', args, { stdio, timeout: TIMEOUT_MS, env: { ...process.env, ...env } });
}

/** Into a folder of its own and then renamed, so that two at once don't disturb each other. */
function build() {
  const { Sum } = JSON.parse(go(['mod', 'download', '-json', `${MODULE}@v${VERSION}`]));
  if (Sum !== SUM) throw new Error(`expected checksum ${SUM} of ${MODULE} but got ${Sum}`);
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, '.build-'));
  try {
    // Without cgo: its PKCS #11 and smart card parts need libraries, and no test needs those.
    const env = { CGO_ENABLED: '0', GOBIN: work, GOFLAGS: '-trimpath' };
    go(['install', `${MODULE}/cmd/step-ca@v${VERSION}`], env);
    mkdirSync(dirname(target), { recursive: true });
    renameSync(join(work, 'step-ca'), target);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

try {
  if (!existsSync(target)) {
    process.stderr.write(`building step-ca ${VERSION}\n`);
    build();
  }
  process.stdout.write(`${target}\n`);
} catch (error) {
  process.stderr.write(`no step-ca: ${error.message}\nhint: install Go 1.24 or later\n`);
  process.exitCode = 1;
}
