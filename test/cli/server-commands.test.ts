import { createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { ServerStatus, UnboundStatus } from '../../src/server/status/index.js';
import { startFakeAdmin } from '../fakes/admin-server.js';
import { fakeProxy, fakeStatus, UNASKED } from '../fakes/fake-status.js';
import { Cli } from './cli.js';
import { expectTranscript } from './transcript.js';

const STATUS: ServerStatus = fakeStatus({
  proxies: [fakeProxy('web~127.0.0.2')],
  horizon: { at: '2026-01-02T00:00:00.000Z', what: 'leaf', node: 'web~127.0.0.2' },
});
const UNBOUND: UnboundStatus = {
  listener: 'inbound:8080',
  address: '127.0.0.2:8080',
  reason: 'in-use',
  error: 'Address already in use',
  holder: 'python3 (pid 4711)',
  source: 'mesh.yaml:9:7',
  hint: 'stop that, or let it listen elsewhere; it is tried again by itself',
  since: '2025-12-31T23:59:45.000Z',
  tries: 4,
  nextTryAt: '2026-01-01T00:00:08.000Z',
};
const NACKED: ServerStatus = fakeStatus({
  mesh: {
    version: '3f2a9c01d4e5',
    loadedAt: '2025-12-31T23:59:45.000Z',
    problems: [
      {
        severity: 'error',
        place: 'mesh.yaml:3:10',
        path: 'services.web.mtls',
        message: 'expected strict, permissive or disable but got "stirct"',
        hint: 'did you mean "strict"?',
      },
    ],
  },
  phase: { name: 'callers to the mesh port', waitingFor: ['web~127.0.0.2'] },
  proxies: [
    fakeProxy('web~127.0.0.2', {
      state: 'nacked',
      types: {
        lds: {
          ...{ state: 'nacked', subscribed: true, version: 'v1' },
          ...{ error: 'no such filter', source: 'mesh.yaml:12:5' },
        },
        cds: { state: 'pending', subscribed: true, version: '' },
        eds: UNASKED,
        rds: UNASKED,
        ecds: UNASKED,
        sds: UNASKED,
      },
      certificate: null,
      token: null,
      horizon: null,
    }),
  ],
  horizon: { at: '2026-01-01T00:05:00.000Z', what: 'token', node: 'web~127.0.0.2' },
  warnings: [{ text: 'token of web~127.0.0.2 ends soon', node: 'web~127.0.0.2' }],
  refused: [
    {
      peer: '10.0.0.3',
      code: 'token-key-unknown',
      reason: 'expected a token signed by a key of this server but got an unknown key',
      hint: 'the data folder may be a new one',
      count: 12,
      lastAt: '2025-12-31T23:59:55.000Z',
    },
    {
      peer: '10.0.0.4',
      code: 'token-missing',
      reason: 'expected a token but got none',
      count: 1,
      lastAt: '2025-12-31T23:59:30.000Z',
    },
  ],
});

/** A port at which nobody listens. */
function closedPort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

describe('the server cannot be reached', () => {
  test.each(['status', 'status --watch', 'wait', 'hosts'])('%s', async (command) => {
    const server = `127.0.0.1:${await closedPort()}`;
    const transcript = `
$ countersign ${command} --server <server>
! error: expected a server at <server> but got nobody listens there
!   hint: start \`countersign serve\`, or name its admin port with --server
[exit 3]
`;
    await expectTranscript(new Cli(), transcript, { server });
  });

  test('another program answers', async () => {
    const { address: server } = await startFakeAdmin(() => ({ status: 404, body: '<html>' }));
    const transcript = `
$ countersign status --server <server>
! error: expected a Countersign server at <server> but got HTTP status 404
!   hint: another program listens there: name the admin port with --server
[exit 3]
`;
    await expectTranscript(new Cli(), transcript, { server });
  });
});

describe('what the server refuses', () => {
  test.each<[string, number, object, string]>([
    [
      'its own error, code and hint',
      404,
      { error: 'no service "wep"', code: 'service-unknown', hint: 'see mesh.yaml' },
      `
$ countersign hosts wep --server <server>
! error: the server says: no service "wep"
!   hint: see mesh.yaml
[exit 1]
`,
    ],
    [
      'a code that this version does not know',
      500,
      { error: 'internal error', code: 'toString' },
      `
$ countersign status --server <server>
! error: the server says: internal error
[exit 1]
`,
    ],
    [
      'a question without an admin token',
      401,
      { error: 'expected an admin token' },
      `
$ countersign status --server <server>
! error: the server refuses: expected an admin token
!   hint: give one with --admin-token-file: \`countersign token --admin\` makes it
[exit 1]
`,
    ],
  ])('%s', async (_name, status, body, transcript) => {
    const { address: server } = await startFakeAdmin(() => ({ status, body }));
    await expectTranscript(new Cli(), transcript, { server });
  });
});

describe('--admin-token-file', () => {
  test('is sent as a bearer token', async () => {
    const admin = await startFakeAdmin(() => ({ body: STATUS }));
    const cli = new Cli();
    cli.write('admin.token', 'a.b.c\n');
    const argv = ['status', '--server', admin.address, '--admin-token-file', '<dir>/admin.token'];
    expect(await cli.run(...argv)).toMatchObject({ code: 0 });
    expect(admin.authorization()).toBe('Bearer a.b.c');
  });

  test('of something else is refused, and not shown', async () => {
    const cli = new Cli();
    cli.write('admin.token', 'two\nlines\n');
    const argv = ['status', '--admin-token-file', '<dir>/admin.token'];
    expect(await cli.run(...argv)).toEqual({
      code: 2,
      stdout: '',
      stderr:
        'error: --admin-token-file: expected a token in <dir>/admin.token ' +
        'but got something else\n' +
        '  hint: make one with `countersign token --admin`\n',
    });
  });
});

describe('status', () => {
  test('text of a mesh in sync', async () => {
    const { address, asked } = await startFakeAdmin(() => ({ body: STATUS }));
    const transcript = `
$ countersign status --server <server>
mesh 3f2a9c01d4e5, read 90s ago; 1 of 1 proxy synced
if the server stopped now, the first thing to fail: leaf of web~127.0.0.2 \
at 2026-01-02T00:00:00.000Z, in 24h

PROXY          ADDRESS    LDS     CDS     EDS     RDS  ECDS  SDS     CERTIFICATE  TOKEN
web~127.0.0.2  127.0.0.2  synced  synced  synced  -    -     synced  ends in 24h  ends in 3d
`;
    await expectTranscript(new Cli(), transcript, { server: address });
    expect(asked).toEqual(['/v1/status']);
  });

  test('text of what changes: steps, who is awaited, and what is held', async () => {
    const body = fakeStatus({
      paused: true,
      phase: { name: 'both old and new settings on payments/ledger:8080', waitingFor: [] },
      steps: [
        {
          ...{ of: 'payments/ledger:8080', step: 'widen', since: '2025-12-31T23:59:48.000Z' },
          waitingFor: ['payments/ledger~10.0.0.1', 'payments/ledger~10.0.0.2'],
        },
        { of: 'web:80', step: 'narrow', since: '2025-12-31T23:59:58.000Z', waitingFor: [] },
      ],
      held: [
        {
          ...{ of: 'store:6000', why: 'rejected', since: '2025-12-31T23:59:00.000Z' },
          ...{ node: 'store~10.0.0.9', error: 'no such filter', source: 'mesh.yaml:12:5' },
        },
      ],
    });
    const { address } = await startFakeAdmin(() => ({ body }));
    const transcript = `
$ countersign status --server <server>
mesh 3f2a9c01d4e5, read 90s ago; no proxy is connected
paused: no step is taken and no edit of the mesh file; see \`resume\`
step widen of payments/ledger:8080, since 12s: its sidecars take the old way and the new, \
waits for payments/ledger~10.0.0.1, payments/ledger~10.0.0.2
step narrow of web:80, since 2s: the new settings
mesh.yaml:12:5 held store:6000 as it was: store~10.0.0.9 rejects the change: no such filter
`;
    await expectTranscript(new Cli(), transcript, { server: address });
  });

  test('text of a mesh in trouble: problems, phase, rejections with their places', async () => {
    const { address } = await startFakeAdmin(() => ({ body: NACKED }));
    const transcript = `
$ countersign status --server <server>
mesh 3f2a9c01d4e5, read 15s ago; 0 of 1 proxy synced
the mesh file has 1 error; the mesh above stays in force:
mesh.yaml:3:10 services.web.mtls: expected strict, permissive or disable but got "stirct"
  hint: did you mean "strict"?
phase callers to the mesh port, waits for web~127.0.0.2
if the server stopped now, the first thing to fail: token of web~127.0.0.2 \
at 2026-01-01T00:05:00.000Z (it could not join again), in 5m
warning: token of web~127.0.0.2 ends soon

PROXY          ADDRESS    LDS     CDS      EDS  RDS  ECDS  SDS  CERTIFICATE  TOKEN
web~127.0.0.2  127.0.0.2  NACKED  pending  -    -    -     -    none         -

mesh.yaml:12:5 web~127.0.0.2 rejects lds: no such filter

refused:
10.0.0.3 token-key-unknown, 12 times, last 5s ago: \
expected a token signed by a key of this server but got an unknown key
  hint: the data folder may be a new one
10.0.0.4 token-missing, 1 time, last 30s ago: expected a token but got none
`;
    await expectTranscript(new Cli(), transcript, { server: address });
  });

  test('a listener that cannot bind: the port, who holds it, and its line', async () => {
    const proxy = fakeProxy('web~127.0.0.2');
    const lds = { state: 'nacked', subscribed: true, version: 'v1', error: 'of Envoy' } as const;
    const types = { ...proxy.types, lds };
    const proxies = [{ ...proxy, state: 'unbound', types, unbound: [UNBOUND] } as const];
    const { address } = await startFakeAdmin(() => ({ body: fakeStatus({ proxies }) }));
    const transcript = `
$ countersign status --server <server>
mesh 3f2a9c01d4e5, read 90s ago; 0 of 1 proxy synced

PROXY          ADDRESS    LDS      CDS     EDS     RDS  ECDS  SDS     CERTIFICATE  TOKEN
web~127.0.0.2  127.0.0.2  unbound  synced  synced  -    -     synced  ends in 24h  ends in 3d

mesh.yaml:9:7 web~127.0.0.2 cannot bind 127.0.0.2:8080 (inbound:8080): Address already in use, \
held by python3 (pid 4711); tried 4 times, next in 8s
  hint: stop that, or let it listen elsewhere; it is tried again by itself
`;
    await expectTranscript(new Cli(), transcript, { server: address });
  });

  test('an application that its own sidecar finds unwell: which, and since when', async () => {
    const unwell = [{ port: 8080, since: '2025-12-31T23:59:48.000Z' }];
    const proxies = [fakeProxy('web~127.0.0.2', { unwell }), fakeProxy('web~127.0.0.3')];
    const { address } = await startFakeAdmin(() => ({ body: fakeStatus({ proxies }) }));
    const transcript = `
$ countersign status --server <server>
mesh 3f2a9c01d4e5, read 90s ago; 2 of 2 proxies synced

PROXY          ADDRESS    LDS     CDS     EDS     RDS  ECDS  SDS     CERTIFICATE  TOKEN
web~127.0.0.2  127.0.0.2  synced  synced  synced  -    -     synced  ends in 24h  ends in 3d
web~127.0.0.3  127.0.0.3  synced  synced  synced  -    -     synced  ends in 24h  ends in 3d

the application of web~127.0.0.2 at port 8080 is unwell since 12s
`;
    await expectTranscript(new Cli(), transcript, { server: address });
  });

  test('what sidecars report of themselves, and who reports nothing', async () => {
    const since = '2025-12-31T23:59:48.000Z';
    const connectedAt = '2025-12-31T23:59:50.000Z';
    const silent = { reports: false, inForce: 'unknown', draining: null } as const;
    const chains = { chains: 2, listeners: 0, since };
    const both = { chains: 1, listeners: 1, since };
    const proxies = [
      fakeProxy('web~1', { statistics: { reports: true, inForce: 'in-force', draining: chains } }),
      fakeProxy('web~2', { statistics: { reports: true, inForce: 'warming', draining: both } }),
      fakeProxy('web~3', { statistics: silent }),
      fakeProxy('web~4', { statistics: silent }),
      // It may just not have come to it.
      fakeProxy('web~5', { statistics: silent, connectedAt }),
    ];
    const { address } = await startFakeAdmin(() => ({ body: fakeStatus({ proxies }) }));
    const transcript = `
$ countersign status --server <server>
mesh 3f2a9c01d4e5, read 90s ago; 5 of 5 proxies synced
no statistics of web~3, web~4: in force there by acknowledgement

PROXY  ADDRESS  LDS     CDS     EDS     RDS  ECDS  SDS     CERTIFICATE  TOKEN
web~1  1        synced  synced  synced  -    -     synced  ends in 24h  ends in 3d
web~2  2        synced  synced  synced  -    -     synced  ends in 24h  ends in 3d
web~3  3        synced  synced  synced  -    -     synced  ends in 24h  ends in 3d
web~4  4        synced  synced  synced  -    -     synced  ends in 24h  ends in 3d
web~5  5        synced  synced  synced  -    -     synced  ends in 24h  ends in 3d

web~1 draining 12s: 2 replaced filter chains
web~2 took its listeners, and they are not in force yet
web~2 draining 12s: 1 replaced filter chain, 1 replaced listener
`;
    await expectTranscript(new Cli(), transcript, { server: address });
  });

  test('instances that are drained, and whom that waits for', async () => {
    const since = '2025-12-31T23:59:30.000Z';
    const body = fakeStatus({
      drains: [
        { node: 'web~1', since, stage: 'callers', waitingFor: ['shop~1', 'shop~2'] },
        { node: 'web~2', since, stage: 'done', waitingFor: [] },
      ],
    });
    const { address } = await startFakeAdmin(() => ({ body }));
    const transcript = `
$ countersign status --server <server>
mesh 3f2a9c01d4e5, read 90s ago; no proxy is connected
draining web~1, since 30s: callers go over to others, waits for shop~1, shop~2
drained web~2, since 30s: it takes no new connections
`;
    await expectTranscript(new Cli(), transcript, { server: address });
  });

  test('--json is what the server says', async () => {
    const { address } = await startFakeAdmin(() => ({ body: NACKED }));
    const { code, stdout } = await new Cli().run('status', '--json', '--server', address);
    expect({ code, json: JSON.parse(stdout) }).toEqual({ code: 0, json: NACKED });
  });

  test('--watch shows news only, until stopped', async () => {
    const answers = [STATUS, STATUS, NACKED];
    const { address, asked } = await startFakeAdmin((_path, times) => ({
      body: answers[Math.min(times, answers.length) - 1],
    }));
    const cli = new Cli();
    const running = cli.start('status', '--watch', '--json', '--server', address);
    for (let times = 1; times <= 4; times++) {
      await running.until(() => asked.length >= times && cli.clock.pending > 0);
      cli.clock.advance(1_000);
    }
    running.stop();
    const { code, stdout } = await running.done;
    const lines = stdout.trimEnd().split('\n');
    expect({ code, lines: lines.map((line) => JSON.parse(line)) }).toEqual({
      code: 0,
      lines: [STATUS, NACKED],
    });
  });

  test('--watch on a screen draws anew', async () => {
    const { address } = await startFakeAdmin(() => ({ body: STATUS }));
    const cli = new Cli({ isTTY: true });
    const running = cli.start('status', '--watch', '--server', address);
    await running.until(() => cli.clock.pending > 0);
    running.stop();
    const { code, stdout } = await running.done;
    expect(code).toBe(0);
    expect(stdout.startsWith('\x1b[H\x1b[2Jmesh 3f2a9c01d4e5, read 90s ago')).toBe(true);
  });
});

describe('wait', () => {
  const refusal = {
    ...{ inForce: false, nacks: [], problems: [], waitingFor: [] },
    ...{ lacking: [], server: null },
  };
  const expectWait = async (answer: { status?: number; body: object }, transcript: string) => {
    const { address: server, asked } = await startFakeAdmin(() => answer);
    await expectTranscript(new Cli(), transcript, { server });
    return asked;
  };
  const refused = (body: object) => ({ status: 409, body: { ...refusal, ...body } });

  test('a listener that cannot bind', async () => {
    const nacks = [
      { node: 'web~1', type: 'lds', error: 'of Envoy', unbound: [{ ...UNBOUND, holder: null }] },
    ];
    const transcript = `
$ countersign wait --server <server>
! mesh.yaml:9:7 web~1 cannot bind 127.0.0.2:8080 (inbound:8080): Address already in use; \
tried 4 times, next in 8s
!   hint: stop that, or let it listen elsewhere; it is tried again by itself
! error: expected the mesh in force but got 1 rejection by Envoy
[exit 1]
`;
    await expectWait(refused({ reason: 'nacked', nacks }), transcript);
  });

  test('in force', async () => {
    const transcript = `
$ countersign wait --server <server>
mesh 3f2a9c01d4e5 is in force on every connected proxy (6)
`;
    const asked = await expectWait(
      { body: { inForce: true, version: '3f2a9c01d4e5', proxies: 6, undeclared: [] } },
      transcript,
    );
    expect(asked).toEqual(['/v1/wait?timeout_ms=20000']);
  });

  test("a NACK, with its place and Envoy's words", async () => {
    const nacks = [
      { node: 'web~1', type: 'lds', error: 'no such filter', source: 'mesh.yaml:12:5' },
      { node: 'web~2', type: 'sds', error: 'bad key' },
    ];
    const transcript = `
$ countersign wait --server <server>
! mesh.yaml:12:5 web~1 rejects lds: no such filter
! web~2 rejects sds: bad key
! error: expected the mesh in force but got 2 rejections by Envoy
[exit 1]
`;
    await expectWait(refused({ reason: 'nacked', nacks }), transcript);
  });

  test('a mesh file with problems', async () => {
    const transcript = `
$ countersign wait --server <server>
! mesh.yaml:3:10 services.web.mtls: expected strict, permissive or disable but got "stirct"
!   hint: did you mean "strict"?
! error: expected a good mesh but got 1 error; an earlier one stays in force
[exit 1]
`;
    await expectWait(refused({ reason: 'problems', problems: NACKED.mesh.problems }), transcript);
  });

  test('the time is up', async () => {
    const waitingFor = ['web~1', 'web~2'];
    const transcript = `
$ countersign wait --server <server> --timeout 0s
! error: expected the mesh in force within 0 s but got 2 proxies still to follow: web~1, web~2
!   hint: see \`countersign status\`, or wait longer with --timeout
[exit 1]
`;
    await expectWait(refused({ reason: 'timeout', waitingFor }), transcript);
  });

  test('asks in slices', async () => {
    const cli = new Cli();
    const { address, asked } = await startFakeAdmin((_path, times) => {
      cli.clock.jump(20_000);
      if (times < 3) return { status: 409, body: { ...refusal, reason: 'timeout' } };
      return { body: { inForce: true, version: 'v', proxies: 1, undeclared: [] } };
    });
    const { code } = await cli.run('wait', '--timeout', '50s', '--server', address);
    expect({ code, asked }).toEqual({
      code: 0,
      asked: ['20000', '20000', '10000'].map((ms) => `/v1/wait?timeout_ms=${ms}`),
    });
  });
});

describe('hosts', () => {
  const entries = [
    { address: '127.64.0.17', service: 'payments/ledger', names: ['ledger.payments', 'l.p.mesh'] },
    { address: '127.64.0.18', service: 'web', names: ['web'] },
  ];

  test('lines for /etc/hosts', async () => {
    const { address, asked } = await startFakeAdmin(() => ({ body: { entries } }));
    const transcript = `
$ countersign hosts --server <server>
127.64.0.17 ledger.payments l.p.mesh
127.64.0.18 web
`;
    await expectTranscript(new Cli(), transcript, { server: address });
    expect(asked).toEqual(['/v1/hosts']);
  });

  test('of one service and prefix, as JSON', async () => {
    const { address, asked } = await startFakeAdmin(() => ({ body: { entries } }));
    const argv = ['hosts', 'payments/ledger', '--outbound', '127.65.3.0/24', '--json'];
    const { code, stdout } = await new Cli().run(...argv, '--server', address);
    expect({ code, json: JSON.parse(stdout) }).toEqual({ code: 0, json: { entries } });
    expect(asked).toEqual(['/v1/hosts?service=payments%2Fledger&outbound=127.65.3.0%2F24']);
  });
});
