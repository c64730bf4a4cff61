// Images under the tags that our files name, made of what this machine has, for where nothing can
// be pulled. They behave like the real ones as far as our files use them.
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { findEnvoy } from '../../src/demo/find-envoy.js';
import { filesOf, toArchive } from './debian-files.js';
import { makeServices } from './stand-in-services.js';

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
    makeServices(work, build);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function makeDebian(): void {
  const links = ['/bin', '/sbin', '/lib', '/lib64', '/etc/passwd', '/etc/group', CERTIFICATES];
  const shell = ['/usr/bin/sh', '/etc/nsswitch.conf'];
  execFileSync('docker', ['import', '-', DEBIAN], {
    input: toArchive([...filesOf(PACKAGES), ...links, ...shell]),
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
