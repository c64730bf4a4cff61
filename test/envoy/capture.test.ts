// Transparent capture as the kernel does it: pods of a network namespace each, with real rules, a
// real Envoy and an application that listens on every address of either family.
import { spawnSync } from 'node:child_process';
import { beforeAll, expect, test } from 'vitest';
import { runInOwnNetwork } from '../harness/in-own-network.js';
import { describeEnvoy, type Harness, useHarness } from '../harness/index.js';
import { lackOfOwnNetwork, OWN_NETWORK } from '../harness/own-network.js';
import { OUTSIDE, setUpBridge } from '../harness/pods.js';
import {
  type CaptureStage,
  capture,
  countRules,
  setRules,
  startCaptureStage,
  stranger,
  UNDECLARED,
} from './capture-mesh.js';

const PROGRAMS = ['nft', 'nsenter', 'setpriv', 'unshare', 'ip'];

function lack(env = process.env): string | undefined {
  const missing = PROGRAMS.filter((name) => spawnSync(name, ['--version']).error !== undefined);
  if (missing.length === 0) return lackOfOwnNetwork(env);
  const reason = `${missing.join(' and ')} is missing: see nftables, iproute2 and util-linux`;
  if (env['CI'] === 'true') throw new Error(reason);
  return reason;
}

if (process.env[OWN_NETWORK] === undefined) {
  runInOwnNetwork(import.meta.url, lack());
} else {
  setUpBridge();
  await describeEnvoy('transparent capture', {}, ({ binary }) => {
    const harness = useHarness('capture');
    let seen: Seen;

    beforeAll(async () => {
      seen = await observe(harness, binary);
    }, 100_000);

    testInbound(() => seen);
    testOutbound(() => seen);
    testChanges(() => seen);
  });
}

type Seen = Awaited<ReturnType<typeof observe>>;
type Sidecars = Awaited<ReturnType<CaptureStage['startSidecars']>>;

function testInbound(seen: () => Seen): void {
  test('without rules, an application on 0.0.0.0 is reached around its sidecar', () => {
    const open = [
      '200 of ledger, by nobody from 10.77.0.1',
      '200 of ledger, by nobody from fd77::1',
    ];
    expect(seen().open.before).toEqual(open);
    expect(seen().open.afterUndo).toEqual(open);
  });

  test('with rules and without a sidecar it is reached by nobody, at no address', () => {
    const refused = ['ECONNREFUSED', 'ECONNREFUSED', 'ECONNREFUSED'];
    expect(seen().closed.before).toEqual(refused);
    expect(seen().closed.afterKill).toEqual(refused);
  });

  test('a stranger in plain text is refused under STRICT, at either family and any port', () => {
    const { plain, tcp } = seen().atOpen.strict;
    expect(plain).toEqual(['ECONNRESET', 'ECONNRESET']);
    expect(tcp).toBe('ECONNRESET');
  });

  test('a client certificate is as good as at a bound port', () => {
    expect(seen().atOpen.strict.certificate).toBe('200 of ledger, by web');
  });

  test("the sidecar's own ports lead nowhere", () => {
    expect(seen().atOpen.strict.ownPorts).toEqual(Array(4).fill('ECONNRESET'));
  });

  test('an undeclared port passes in plain text and is counted, or is closed and counted', () => {
    const { passedIn, passedCount } = seen().atOpen;
    expect(passedIn).toEqual([
      '200 of undeclared, by nobody from 127.0.0.6',
      '200 of undeclared, by nobody from fd77::3',
    ]);
    expect(passedCount).toBe(2);
    const { undeclared, undeclaredCount } = seen().atClosed;
    expect([undeclared, undeclaredCount]).toEqual(['ECONNRESET', 1]);
  });
}

function testOutbound(seen: () => Seen): void {
  const passed = '200 of outside, by nobody from 10.77.0.2';

  test('a call of a real address is mTLS, over HTTP and TCP, IPv4 and IPv6', () => {
    expect(seen().atOpen.outbound).toEqual({
      http: '200 of ledger, by web',
      // As much of "ledger: ping" as the first packet has.
      tcp: expect.stringMatching(/^ledger: /),
      v6: '200 of web, by ledger',
      unknownOfStrict: 'ECONNRESET',
    });
  });

  test('what leads to no service passes under egress any, and is closed under registry', () => {
    const { atOpen, atClosed } = seen();
    expect([atOpen.egress, atOpen.egressCount]).toEqual([passed, 1]);
    expect([atClosed.egress, atClosed.egressCount]).toEqual(['ECONNRESET', 1]);
  });

  test("the sidecar's own calls are not captured", () => {
    expect([seen().atOpen.ownCall, seen().atClosed.ownCall]).toEqual([passed, passed]);
  });

  test('a captured connection is accepted and then ended, where nobody listens', () => {
    expect(seen().atOpen.nobodyListens).toMatch(/^(ECONNRESET|connection closed)/);
  });

  test('a call of an instance that has gone is no call of its service any more', () => {
    expect(seen().atOpen.instances.gone.call).toBe('200 of second, by nobody from 10.77.0.2');
  });
}

function testChanges(seen: () => Seen): void {
  test('instances that join and go are called, and drain nobody else', () => {
    const { joined, gone } = seen().atOpen.instances;
    expect([...new Set(joined.calls)].sort()).toEqual([
      '200 of ledger, by web',
      '200 of second, by web',
    ]);
    expect(joined.updates).toEqual({ inPlace: 1, modified: 1, draining: 0 });
    expect(gone.updates).toEqual({ inPlace: 2, modified: 2, draining: 0 });
    expect([joined.kept, gone.kept, seen().atClosed.kept]).toEqual(Array(3).fill('again'));
  });

  test('a running sidecar takes up capture where it could not bind', () => {
    expect(seen().takenUp.before).toContain('cannot bind');
    expect(seen().takenUp.after).toBe('in force');
  });

  test('rules that are set twice are there once, and the dry run names what they close', () => {
    const [once, twice] = seen().rules;
    expect(twice).toBe(once);
    expect(seen().dryRun).toMatch(/^# {3}\[::\]:8080 node \(pid \d+\)$/m);
    expect(seen().dryRun).not.toMatch(/^#.*:(9901|9902|15006)/m);
  });
}

/** mesh.yaml, with the capture of each. */
function toMesh(web: string, ledger: string): string {
  return `mtls: strict
services:
  web:
    capture: { ${web} }
    ports: { 8080: http }
  ledger:
    capture: { ${ledger} }
    ports: { 8080: http, 6000: tcp }`;
}

const BIND = 'outbound: loopback';
const OPEN = 'inbound: transparent, outbound: transparent';
const CLOSED = `${OPEN}, undeclared: refuse, egress: registry`;

async function observe(harness: Harness, binary: string) {
  const stage = await startCaptureStage(harness, { binary, text: toMesh(BIND, OPEN) });
  const { web, ledger, mesh } = stage;
  const before = await around(stage);
  await Promise.all([setRules(ledger), setRules(web)]);
  const closedBefore = await nowhere(stage);
  const sidecars = await stage.startSidecars();
  const takenUp = { before: await mesh.wait(), after: await mesh.edit(toMesh(OPEN, OPEN)) };
  const atOpen = {
    strict: await observeStrict(stage),
    ...(await observeOpen(stage, sidecars)),
    instances: await observeInstances(stage),
  };
  await mesh.edit(toMesh(CLOSED, CLOSED));
  const atClosed = await observeClosed(stage, sidecars);
  const rules = [countRules(ledger)];
  await setRules(ledger);
  rules.push(countRules(ledger));
  const dryRun = await stage.dryRun(ledger);
  await sidecars.ledger.process.kill();
  const afterKill = await nowhere(stage);
  await capture(ledger, '--undo');
  return {
    ...{ takenUp, atOpen, atClosed, rules, dryRun },
    open: { before, afterUndo: await around(stage) },
    closed: { before: closedBefore, afterKill },
  };
}

/** Straight to the application, at its address of each family. */
function around({ ledger }: CaptureStage): Promise<string[]> {
  return Promise.all([ledger.v4, ledger.v6].map((address) => stranger({ address, port: 8080 })));
}

async function nowhere(stage: CaptureStage): Promise<string[]> {
  const undeclared = { address: stage.ledger.v4, port: UNDECLARED };
  return [...(await around(stage)), await stranger(undeclared)];
}

async function observeStrict(stage: CaptureStage) {
  const address = stage.ledger.v4;
  const tls = { ...(await stage.mesh.certificate('web')), servername: 'ledger' };
  return {
    plain: await around(stage),
    // In plain text, and long enough to be no handshake.
    tcp: await stranger({ address, port: 6000 }),
    certificate: await stranger({ address, port: 8080, tls }),
    ownPorts: await Promise.all([
      ...[15_001, 15_006, 15_443].map((port) => stranger({ address, port })),
      stage.agent.http(OUTSIDE.v4, 15_001),
    ]),
  };
}

/** What nobody declared passes, in both directions. */
async function observeOpen(stage: CaptureStage, sidecars: Sidecars) {
  const { agent, ofLedger, ofSidecar, web, ledger } = stage;
  const undeclared = (address: string) => stranger({ address, port: UNDECLARED });
  const passedIn = [await undeclared(ledger.v4), await undeclared(ledger.v6)];
  const passedOut = () => sidecars.web.admin.stat('cluster.passed_outbound.upstream_cx_total');
  const before = await passedOut();
  const egress = await agent.http(OUTSIDE.v4, 7000);
  return {
    ...{ passedIn, egress, egressCount: (await passedOut()) - before },
    passedCount: await sidecars.ledger.admin.stat('cluster.passed_inbound.upstream_cx_total'),
    outbound: {
      http: await agent.http(ledger.v4, 8080),
      tcp: await agent.tcp(ledger.v4, 6000),
      v6: await ofLedger.http(web.v6, 8080),
      // Its sidecar has named the other address: it isn't known for the ledger's.
      unknownOfStrict: await agent.http(ledger.v6, 8080),
    },
    ownCall: await ofSidecar.http(OUTSIDE.v4, 7000),
    nobodyListens: await agent.tcp(OUTSIDE.v4, 7001),
  };
}

/** What nobody declared is closed, in both directions. */
async function observeClosed(stage: CaptureStage, sidecars: Sidecars) {
  const noChain = (name: string) => `listener.${name}.no_filter_chain_match`;
  return {
    kept: await stage.agent.again(),
    undeclared: await stranger({ address: stage.ledger.v4, port: UNDECLARED }),
    undeclaredCount: await sidecars.ledger.admin.stat(noChain('inbound_captured')),
    egress: await stage.agent.http(OUTSIDE.v4, 7000),
    egressCount: await sidecars.web.admin.stat(noChain('outbound_captured')),
    ownCall: await stage.ofSidecar.http(OUTSIDE.v4, 7000),
  };
}

/** Another instance of the ledger joins, then goes, while a connection to the first is open. */
async function observeInstances(stage: CaptureStage) {
  const { agent, mesh, ledger, second } = stage;
  await agent.keep(ledger.v4, 6000);
  const sidecar = await mesh.sidecar('ledger', second);
  await mesh.wait();
  const calls: string[] = [];
  for (let n = 0; n < 4; n++) calls.push(await agent.http(second.v4, 8080));
  const joined = { calls, updates: await stage.updates(), kept: await agent.again() };
  await sidecar.stop();
  // Its grace.
  mesh.clock.putForward(15_000);
  await mesh.wait();
  const [updates, kept] = [await stage.updates(), await agent.again()];
  return { joined, gone: { updates, kept, call: await agent.http(second.v4, 8080) } };
}
