// Images under the tags that our files name, made of what this machine has, for where nothing can
// be pulled. They behave like the real ones as far as our files use them.
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { findEnvoy } from '../../src/demo/find-envoy.js';

const DEBIAN = 'debian:bookworm-slim';
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';
const PACKAGES = [
  ...['base-files', 'base-passwd', 'bash', 'dash', 'coreutils', 'libc6', 'libc-bin', 'libgcc-s1'],
  ...['libstdc++6', 'libselinux1', 'libpcre2-8-0', 'libacl1', 'libattr1', 'libgmp10', 'libtinfo6'],
  ...['sed', 'grep', 'findutils', 'tar', 'gzip', 'hostname', 'util-linux', 'libssl3', 'zlib1g'],
  ...['nftables', 'libnftables1', 'libnftnl11', 'libmnl0', 'libxtables12', 'libjansson4'],
  ...['libedit2', 'libbsd0', 'libmd0'],
];

export async function makeStandIns(): Promise<void> {
  makeDebian();
  const work = mkdtempSync(join(tmpdir(), 'countersign-images-'));
  try {
    makeNode(work);
    await makeEnvoy(work);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The files of its packages, as dpkg lists them; `/bin` and its like are links to `/usr`. */
function makeDebian(): void {
  const found = PACKAGES.flatMap((name) => {
    try {
      return execFileSync('dpkg', ['-L', name], { encoding: 'utf8' }).split('\n');
    } catch {
      return [];
    }
  });
  const links = ['/bin', '/sbin', '/lib', '/lib64', '/etc/passwd', '/etc/group', CERTIFICATES];
  const shell = ['/usr/bin/sh', '/etc/nsswitch.conf'];
  const listed = found
    .map((path) => path.replace(/^\/(bin|sbin|lib|lib64)\//, '/usr/$1/'))
    .filter(
      (path) => path !== '' && path !== '/.' && !/^\/usr\/share\/(doc|man|locale)\//.test(path),
    );
  const files = [...new Set([...listed, ...links, ...shell])].filter((path) => existsSync(path));
  const archive = execFileSync('tar', ['-c', '--no-recursion', '-T', '-'], {
    input: files.join('\n'),
    stdio: ['pipe', 'pipe', 'ignore'],
    maxBuffer: 1024 * 1024 * 1024,
  });
  execFileSync('docker', ['import', '-', DEBIAN], {
    input: archive,
    stdio: ['pipe', 'ignore', 'inherit'],
  });
}

/** With npm, and the way to its registry that this machine has. */
function makeNode(work: string): void {
  const npm = dirname(
    dirname(
      execFileSync('sh', ['-c', 'readlink -f "$(command -v npm)"'], { encoding: 'utf8' }).trim(),
    ),
  );
  copyFileSync(process.execPath, join(work, 'node'));
  cpSync(npm, join(work, 'npm'), { recursive: true });
  copyFileSync(CERTIFICATES, join(work, 'certificates'));
  const registry = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim();
  writeFileSync(
    join(work, 'npmrc'),
    `registry=${registry}\ncafile=${CERTIFICATES}\naudit=false\nfund=false\n`,
  );
  build('node:20-slim', work, [
    `FROM ${DEBIAN}`,
    'COPY node /usr/local/bin/node',
    'COPY npm /usr/local/lib/node_modules/npm',
    `COPY certificates ${CERTIFICATES}`,
    'COPY npmrc /usr/local/etc/npmrc',
    'RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm',
  ]);
}

async function makeEnvoy(work: string): Promise<void> {
  copyFileSync(await findEnvoy(), join(work, 'envoy'));
  build('envoyproxy/envoy:v1.40-latest', work, [
    `FROM ${DEBIAN}`,
    'COPY envoy /usr/local/bin/envoy',
  ]);
}

function build(tag: string, context: string, lines: readonly string[]): void {
  writeFileSync(join(context, 'Dockerfile'), `${lines.join('\n')}\n`);
  execFileSync('docker', ['build', '--quiet', '--tag', tag, context], { stdio: 'ignore' });
}
