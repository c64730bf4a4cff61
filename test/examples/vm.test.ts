// docs/vm.md to the letter, on two hosts; and what its units allow.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  connectHosts,
  createReader,
  lackOfHosts,
  nameHost,
  ROOT,
  readSteps,
  standInForNpm,
  standInForSsh,
  startMachine,
} from '../documents/index.js';
import { describeEnvoy, eventually, requirePostgres, useHarness } from '../harness/index.js';
import { analyze, lackOfAnalyze } from './systemd-analyze.js';
import { bindAt, type } from './typed.js';

const PAGE = 'docs/vm.md';
const UNITS = readdirSync(join(ROOT, 'docs/systemd')).filter((name) => name.endsWith('.service'));
/** Of 10, which is what a unit without any restriction has. */
const MOST_EXPOSED = 2;
/** The headings of what is done on the caller's machine. */
const THERE = ['On that machine', 'A new Envoy, or a new bootstrap', 'The token on that machine'];

describe.skipIf(lackOfAnalyze() !== undefined)('the units', () => {
  test('are all there', () => {
    expect(UNITS.sort()).toEqual([
      'countersign-capture.service',
      'countersign-sidecar@.service',
      'countersign.service',
    ]);
  });

  test.each(UNITS)('%s is taken by systemd without a word', (name) => {
    const { status, stdout, stderr } = analyze('verify', join(ROOT, 'docs/systemd', name));
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  test.each(UNITS)('%s is restricted', (name) => {
    const threshold = `--threshold=${MOST_EXPOSED * 10}`;
    const unit = join(ROOT, 'docs/systemd', name);
    const { status, stdout } = analyze('security', '--offline=true', threshold, unit);
    expect(status, stdout).toBe(0);
  });
});

const lack = lackOfHosts();
const found = requirePostgres();
const isHere = lack === undefined && 'bin' in found;

await describeEnvoy('docs/vm.md', {}, ({ binary }) => {
  const harness = useHarness('vm');

  test.skipIf(!isHere)(
    `two machines, to the letter${lack ?? ''}`,
    async () => {
      const [first, second] = await Promise.all([
        startMachine(harness, 'server-machine'),
        startMachine(harness, 'web-machine'),
      ]);
      connectHosts({ host: first, address: '10.0.0.1' }, { host: second, address: '10.0.0.2' });
      for (const host of [first, second]) nameHost(host, '10.0.0.1 countersign.internal');
      standInForSsh(first);
      standInForNpm(first);
      const options = { cwd: '/root', home: '/root', path: [], env: { PGPASSWORD: 'secret' } };
      const server = createReader(harness, { ...options, host: first, peer: second });
      const web = createReader(harness, { ...options, host: second });
      for (const reader of [server, web]) {
        await type(reader, 'test -e /etc/host-of-a-test');
        await type(reader, bindAt(binary, '/usr/local/bin/envoy'));
      }
      await type(server, bindAt(process.execPath, '/usr/local/bin/node'));
      await type(server, toDatabase('bin' in found ? found.bin : ''));
      for (const step of readSteps(PAGE)) {
        const reader = THERE.includes(step.headings.at(-1) ?? '') ? web : server;
        await reader.follow([step]);
      }
      const log = '/var/lib/systemctl-of-a-test/countersign-sidecar@web.log';
      await eventually(async () => /takes over from/.test(await type(web, `cat ${log}`)), {
        what: 'the new Envoy',
      });
    },
    240_000,
  );
});

/** As Debian's package makes it, with a role and a database. */
function toDatabase(bin: string): string {
  const data = '/var/lib/postgresql/countersign-test';
  const settings = '-c listen_addresses=127.0.0.1 -c unix_socket_directories=';
  return `( set -e; install -d -o postgres -m 0700 ${data}; cd /
runuser -u postgres -- ${bin}/initdb -D ${data} --no-sync -A trust
echo 'host all all all scram-sha-256' >> ${data}/pg_hba.conf
runuser -u postgres -- ${bin}/pg_ctl -D ${data} -o '${settings}' -l ${data}/log -w start
psql -h 127.0.0.1 -U postgres -c "create role shop login password 'secret'"
psql -h 127.0.0.1 -U postgres -c 'create database shop owner shop' )`;
}
