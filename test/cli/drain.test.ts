// What `drain` says, by what the server answers and what its Envoy has open. The server's side is a
// desk that answers as the test says.
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { beforeEach, onTestFinished, test } from 'vitest';
import { MeshError, systemRandom } from '../../src/base/index.js';
import { openDataDir } from '../../src/data/index.js';
import { createOrderStore, OrderDesk } from '../../src/data/orders/index.js';
import {
  DRAIN_INSTANCE,
  DRAIN_STATE,
  type DrainReport,
  UNDO_DRAIN,
} from '../../src/drains/index.js';
import { recordingLogger } from '../fakes/recording-logger.js';
import { Cli } from './cli.js';
import { expectTranscript } from './transcript.js';

let cli: Cli;
let world: { report: DrainReport; refusal: MeshError | undefined; wasDrained: boolean };

beforeEach(async () => {
  cli = new Cli();
  await cli.prepareData();
  mkdirSync(cli.path('data/orders'), { recursive: true, mode: 0o700 });
  const dataDir = await openDataDir({
    ...{ path: cli.path('data'), lock: true, random: systemRandom, clock: cli.clock },
  });
  const store = createOrderStore(dataDir);
  const desk = new OrderDesk({ store, clock: cli.clock, logger: recordingLogger() });
  const others = ['payments/ledger~two'];
  world = {
    report: { stage: 'done', waitingFor: [], others },
    refusal: undefined,
    wasDrained: true,
  };
  desk.register(DRAIN_INSTANCE, async () => {
    if (world.refusal !== undefined) throw world.refusal;
    return { state: 'done', report: world.report };
  });
  desk.register(DRAIN_STATE, async () => {
    const { report } = world;
    return { state: report.stage === 'done' ? 'done' : 'waiting', report };
  });
  desk.register(UNDO_DRAIN, async () => ({
    ...{ state: 'done', report: { wasDrained: world.wasDrained } },
  }));
  const cancel = store.onNotice(() => void desk.look());
  onTestFinished(async () => {
    cancel();
    await desk.stop();
    await dataDir.close();
  });
});

/** An Envoy's admin port that shows these statistics. */
async function startEnvoyAdmin(stats: string): Promise<string> {
  const server = createServer((_request, response) => response.end(stats)).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  onTestFinished(() => void server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('done: what is left to do before Envoy is stopped', async () => {
  await expectTranscript(
    cli,
    `
$ countersign drain payments/ledger --instance one --data <dir>/data
payments/ledger~one gets no new calls and takes no new connections; \
called instead: 1 other instance
what is open there ends by itself, or is cut after the drain time of its Envoy
before you stop it, see that nothing is: \
countersign drain payments/ledger --instance one --envoy-admin <host:port>
`,
    { dir: cli.dir },
  );
});

test("with its Envoy's admin port: nothing is open", async () => {
  const stats =
    'http.inbound_8080.downstream_rq_active: 0\nlistener.mesh.downstream_cx_active: 2\n';
  const envoy = await startEnvoyAdmin(stats);
  await expectTranscript(
    cli,
    `
$ countersign drain payments/ledger --instance one --data <dir>/data --envoy-admin <envoy>
payments/ledger~one gets no new calls and takes no new connections; \
called instead: 1 other instance
nothing is open there: its Envoy can be stopped (2 idle connections will be closed)
`,
    { dir: cli.dir, envoy },
  );
});

test('what is open is named by port, of Envoy 1.36 too', async () => {
  const stats = `cluster.local.payments/ledger_6000.upstream_cx_active: 1
cluster.local.payments/ledger_8080.upstream_cx_active: 5
http.inbound:8080.downstream_rq_active: 2
listener.inbound_6000.downstream_cx_active: 1
listener.mesh.downstream_cx_active: 2
`;
  const envoy = await startEnvoyAdmin(stats);
  await expectTranscript(
    cli,
    `
$ countersign drain payments/ledger --instance one --data <dir>/data \
--envoy-admin <envoy> --timeout 0s
payments/ledger~one gets no new calls and takes no new connections; \
called instead: 1 other instance
! error: expected nothing to be open there any more but got \
1 connection on port 6000, 2 requests on port 8080
!   hint: to stop Envoy now would cut them; wait longer by --timeout, or end them at their ends
[exit 1]
`,
    { dir: cli.dir, envoy },
  );
});

test('who is waited for when the time is up; it stays drained', async () => {
  world.report = { stage: 'callers', waitingFor: ['web~1'], others: [] };
  await expectTranscript(
    cli,
    `
$ countersign drain payments/ledger --instance one --data <dir>/data --timeout 0s
! its callers are sent endpoints without it; not yet: web~1
! error: expected its callers to have gone over but still waiting for web~1
!   hint: it stays drained: give the same command again to wait on, --undo takes it back
[exit 1]
`,
    { dir: cli.dir },
  );
});

test('the last instance, an unknown one, one that is not drained', async () => {
  const message =
    'expected another instance of "payments/ledger" to call instead but there is none';
  world.refusal = new MeshError('request-invalid', message, { variant: 'last-instance' });
  world.wasDrained = false;
  await expectTranscript(
    cli,
    `
$ countersign drain payments/ledger --instance one --data <dir>/data
! error: the server says: ${message}
!   hint: start another one first, or drain it all the same by --yes: calls to it then fail
[exit 1]

$ countersign drain payments/ledger --instance one --undo --data <dir>/data
! error: expected a drain of "payments/ledger~one" but there is none
!   hint: \`countersign status\` shows those that there are
[exit 1]
`,
    { dir: cli.dir },
  );
});

test('used wrongly, and an Envoy that does not answer', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  await expectTranscript(
    cli,
    `
$ countersign drain payments/ledger --data <dir>/data
! error: expected --instance
!   hint: countersign drain payments/ledger --instance one
[exit 2]

$ countersign drain payments/ledger --instance one --data <dir>/data --envoy-admin <envoy>
! error: expected Envoy's admin port at <envoy> but got nobody listening there
!   hint: run this on its host, with the port that \`bootstrap --envoy-admin-port\` gave it
[exit 1]
`,
    { dir: cli.dir, envoy: `127.0.0.1:${port}` },
  );
});
