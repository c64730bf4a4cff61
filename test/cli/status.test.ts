import { describe, expect, test } from 'vitest';
import type { ServerStatus } from '../../src/server/status/index.js';
import { startFakeAdmin } from '../fakes/admin-server.js';
import { fakeProxy, fakeStatus, SYNCED } from '../fakes/fake-status.js';
import { Cli, MESH } from './cli.js';
import { expectTranscript } from './transcript.js';

// What `status`, `wait` and `check --server` say of who is missing, refused or nobody's.

const HEADING =
  'PROXY          ADDRESS    LDS     CDS     EDS     RDS     ECDS  SDS     CERTIFICATE  TOKEN';
const attendance = (service: string, connected: number, gone = 0) => ({
  ...{ service, declared: true, expected: true, connected, synced: connected, gone },
});
const types = { ...fakeProxy('web~127.0.0.2').types, rds: SYNCED };
const FLEET = fakeStatus({
  services: [attendance('back', 0, 1), attendance('payments/ledger', 0), attendance('web', 2, 1)],
  proxies: [
    fakeProxy('web~127.0.0.2', { types }),
    fakeProxy('web~127.0.0.3', { types, state: 'pending', token: null }),
  ],
  gone: [
    {
      ...{ node: 'web~127.0.0.4', service: 'web', address: '127.0.0.4', missedAtStart: false },
      since: '2025-12-31T23:55:00.000Z',
    },
    {
      ...{ node: 'back~b', service: 'back', address: '127.0.0.5', missedAtStart: true },
      since: '2025-12-31T23:58:00.000Z',
    },
  ],
  refused: [
    {
      ...{ peer: '127.0.0.1', code: 'token-expired', reason: 'it ended', count: 13 },
      ...{ service: 'back', tokenId: 'f00d', claim: 'back~b' },
      lastAt: '2025-12-31T23:59:55.000Z',
    },
    {
      ...{ peer: '127.0.0.1', code: 'address-in-use', reason: 'it is in use', count: 2 },
      ...{ service: 'back', tokenId: 'feed', claim: 'back~c' },
      ...{ address: '127.0.0.2', holder: 'web~127.0.0.2' },
      lastAt: '2025-12-31T23:59:50.000Z',
    },
    {
      ...{ peer: '10.0.0.9', code: 'token-missing', reason: 'none was given', count: 1 },
      ...{ claim: 'web~z', hint: 'make one' },
      lastAt: '2025-12-31T23:59:30.000Z',
    },
  ],
});

async function expectStatus(status: ServerStatus, transcript: string): Promise<void> {
  const { address } = await startFakeAdmin(() => ({ body: status }));
  await expectTranscript(new Cli(), transcript, { server: address });
}

test('status 30 of 30 synced, who is gone since when, missing, and refused', async () => {
  await expectStatus(
    FLEET,
    `
$ countersign status --server <server>
mesh 3f2a9c01d4e5, read 90s ago; 1 of 2 proxies synced
no sidecar is connected of back, payments/ledger

${HEADING}
web~127.0.0.2  127.0.0.2  synced  synced  synced  synced  -     synced  ends in 24h  ends in 3d
web~127.0.0.3  127.0.0.3  synced  synced  synced  synced  -     synced  ends in 24h  -

gone:
web~127.0.0.4 at 127.0.0.4, left 5m ago
back~b at 127.0.0.5, not back since the server started 2m ago

refused:
back~b (token f00d) at 127.0.0.1 token-expired, 13 times, last 5s ago: it ended
back~c (token feed) at 127.0.0.1 address-in-use, 2 times, last 10s ago: it is in use \
(127.0.0.2 is the address of web~127.0.0.2)
10.0.0.9, which calls itself web~z, token-missing, 1 time, last 30s ago: none was given
  hint: make one
`,
  );
});

test('status <service> and --not-synced show that part, and its counts', async () => {
  await expectStatus(
    FLEET,
    `
$ countersign status default/web --not-synced --server <server>
mesh 3f2a9c01d4e5, read 90s ago; 1 of 2 proxies synced

${HEADING}
web~127.0.0.3  127.0.0.3  synced  synced  synced  synced  -     synced  ends in 24h  -

gone:
web~127.0.0.4 at 127.0.0.4, left 5m ago

refused:
10.0.0.9, which calls itself web~z, token-missing, 1 time, last 30s ago: none was given
  hint: make one
$ countersign status payments/ledger --server <server>
mesh 3f2a9c01d4e5, read 90s ago; no proxy is connected
no sidecar is connected of payments/ledger
$ countersign status wep --server <server>
! error: the mesh declares no service "wep" (did you mean "web"?), and no sidecar of it was seen
!   hint: its services are the keys under "services" in mesh.yaml
[exit 1]
`,
  );
});

test('status of a static Envoy: it takes secrets only, and asks for one in vain', async () => {
  const sds = { ...SYNCED, state: 'nacked', error: 'there is no secret "mine" for it' } as const;
  const secretsOnly = { secretsOnly: true, types: { sds: SYNCED } } as const;
  const proxies = [
    fakeProxy('web~127.0.0.2', secretsOnly),
    fakeProxy('web~127.0.0.3', { ...secretsOnly, types: { sds }, state: 'unbound' }),
  ];
  await expectStatus(
    fakeStatus({ proxies }),
    `
$ countersign status --server <server>
mesh 3f2a9c01d4e5, read 90s ago; 1 of 2 proxies synced

PROXY          ADDRESS    LDS  CDS  EDS  RDS  ECDS  SDS     CERTIFICATE  TOKEN
web~127.0.0.2  127.0.0.2  -    -    -    -    -     synced  ends in 24h  ends in 3d
web~127.0.0.3  127.0.0.3  -    -    -    -    -     NACKED  ends in 24h  ends in 3d

web~127.0.0.2 takes secrets only
web~127.0.0.3 takes secrets only
web~127.0.0.3 rejects sds: there is no secret "mine" for it
`,
  );
});

test('status after a reconnect nothing is a dash that the proxy has asked for', async () => {
  const empty = { state: 'synced', subscribed: true, version: '' } as const;
  const proxy = fakeProxy('web~127.0.0.2', { types: { ...types, lds: empty, ecds: empty } });
  const { address } = await startFakeAdmin(() => ({ body: fakeStatus({ proxies: [proxy] }) }));
  const { stdout } = await new Cli().run('status', '--server', address);
  expect(stdout).not.toContain('-  ');
});

test.each([
  ['2026-01-01T00:15:00.000Z', "warning: the server's clock is 15m ahead of this machine's"],
  ['2025-12-31T23:45:00.000Z', "warning: the server's clock is 15m behind this machine's"],
])('a server whose clock is wrong is warned of: %s', async (now, warning) => {
  const { address } = await startFakeAdmin(() => ({ body: fakeStatus({ now }) }));
  const { stdout } = await new Cli().run('status', '--server', address);
  expect(stdout).toContain(`${warning}: one of them is wrong\n`);
});

test('status --watch takes the time of day for no news', async () => {
  const { address, asked } = await startFakeAdmin((_path, times) => ({
    body: fakeStatus({ now: `2026-01-01T00:00:0${times}.000Z` }),
  }));
  const cli = new Cli();
  const running = cli.start('status', '--watch', '--json', '--server', address);
  for (let times = 1; times <= 3; times++) {
    await running.until(() => asked.length >= times && cli.clock.pending > 0);
    cli.clock.advance(1_000);
  }
  running.stop();
  expect((await running.done).stdout.trimEnd().split('\n')).toHaveLength(1);
});

const inForce = { inForce: true, version: 'v1', proxies: 0, undeclared: [] };
const late = { inForce: false, reason: 'timeout', nacks: [], problems: [], waitingFor: [] };

test('wait with 0 proxies it is not "in force on every connected proxy"', async () => {
  const { address: server } = await startFakeAdmin(() => ({ body: inForce }));
  const transcript = `
$ countersign wait --server <server>
mesh v1 is in force, but no proxy is connected that could have it
!   hint: wait for sidecars with --proxies, or --service web=2
`;
  await expectTranscript(new Cli(), transcript, { server });
});

test('wait names connected sidecars of a service that was renamed or removed', async () => {
  const body = { ...inForce, proxies: 3, undeclared: ['back~b', 'back~c'] };
  const { address: server } = await startFakeAdmin(() => ({ body }));
  const transcript = `
$ countersign wait --server <server>
! warning: 2 connected proxies of services that the mesh does not declare, without \
configuration: back~b, back~c
mesh v1 is in force on every connected proxy (3)
`;
  await expectTranscript(new Cli(), transcript, { server });
});

test('wait --proxies and --service are asked for, and what they lack is the answer', async () => {
  const lacking = [
    { service: null, wanted: 6, got: 1 },
    { service: 'web', wanted: 2, got: 0 },
  ];
  const body = { ...late, lacking, server: null };
  const { address: server, asked } = await startFakeAdmin(() => ({ status: 409, body }));
  const transcript = `
$ countersign wait --proxies 6 --service web=2 --service a/b=1 --timeout 0s --server <server>
! error: expected the mesh in force within 0 s but 1 of 6 proxies has it; \
0 of 2 proxies of web have it
!   hint: see \`countersign status\`, or wait longer with --timeout
[exit 1]
`;
  await expectTranscript(new Cli(), transcript, { server });
  expect(asked).toEqual(['/v1/wait?timeout_ms=0&proxies=6&service=web%3D2&service=a%2Fb%3D1']);
});

test('wait that waits for nobody says for what, not "0 proxies still to follow"', async () => {
  const body = { ...late, lacking: [], server: 'the mesh has yet to be stored' };
  const { address: server } = await startFakeAdmin(() => ({ status: 409, body }));
  const transcript = `
$ countersign wait --timeout 0s --server <server>
! error: expected the mesh in force within 0 s but the mesh has yet to be stored
!   hint: see \`countersign status\`, or wait longer with --timeout
[exit 1]
`;
  await expectTranscript(new Cli(), transcript, { server });
});

test('wait --json is the answer of the server', async () => {
  const { address } = await startFakeAdmin(() => ({ body: inForce }));
  const { code, stdout } = await new Cli().run('wait', '--json', '--server', address);
  expect({ code, json: JSON.parse(stdout) }).toEqual({ code: 0, json: inForce });
});

test.each([
  ['--service', 'web', 'a service and a number of its sidecars'],
  ['--proxies', 'all', 'a number'],
])('%s %s is wrong use', async (option, value, expected) => {
  const { code, stderr } = await new Cli().run('wait', option, value);
  expect(code).toBe(2);
  expect(stderr).toContain(`${option}: expected ${expected} but got "${value}"`);
});

describe('check --server', () => {
  const PROXIES = [fakeProxy('web~127.0.0.2'), fakeProxy('legdger~a'), fakeProxy('legdger~b')];

  test('warns by name of a service with live sidecars that the mesh lacks', async () => {
    const { address: server } = await startFakeAdmin(() => ({
      body: fakeStatus({ proxies: PROXIES }),
    }));
    const cli = new Cli();
    cli.write('mesh.yaml', MESH);
    const transcript = `
$ countersign check <dir>/mesh.yaml --server <server>
! <dir>/mesh.yaml:1:1 services.legdger: warning: it has 2 connected sidecars (legdger~a, \
legdger~b) and is not declared: calls to it would fail
!   hint: keep it until its sidecars are stopped
<dir>/mesh.yaml: 3 services, 3 ports; 1 warning
$ countersign check <dir>/mesh.yaml --strict --server <server>
! <dir>/mesh.yaml:1:1 services.legdger: it has 2 connected sidecars (legdger~a, legdger~b) \
and is not declared: calls to it would fail
!   hint: keep it until its sidecars are stopped
<dir>/mesh.yaml: 3 services, 3 ports; 1 error
[exit 1]
`;
    await expectTranscript(cli, transcript, { server });
  });

  test('without --server it asks nobody; with one that is not there it says so', async () => {
    const cli = new Cli();
    cli.write('mesh.yaml', MESH);
    expect((await cli.run('check', '<dir>/mesh.yaml')).code).toBe(0);
    const asked = await cli.run('check', '<dir>/mesh.yaml', '--server', '127.0.0.1:1');
    expect(asked.code).toBe(3);
  });
});
