import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import type { EchoAnswer, EchoApp } from '../../src/demo/echo-app.js';
import type { EnvoyProcess } from '../../src/demo/envoy-process.js';
import { httpCall } from '../../src/demo/http-client.js';
import {
  addHostAddress,
  HOST,
  lackOfContainers,
  NAMESPACES,
  OWN_NAMESPACES,
  setUpHost,
  startContainer,
} from '../harness/containers.js';
import {
  describeEnvoy,
  eventually,
  type Harness,
  outcome,
  tcpExchange,
  useHarness,
} from '../harness/index.js';
import { type Answer, type NameServer, startNameServer } from '../harness/name-server.js';
import { startMesh } from '../harness/start-mesh.js';

// Sidecars in containers of their own, in front of applications that they find by name: as compose
// has them. Each listens at all of its addresses for its callers, and for its application at an
// address of the network that the two are on.
const HTTP = 8080;
const TCP = 6000;
const ADMIN = 9901;
const APPLICATION = { http: 9080, tcp: 9060 } as const;
/** On the bridge, where callers and the server reach them. */
const SIDECARS = { web: '10.77.0.2', ledger: '10.77.0.3' } as const;
/** On the private network: here an application calls another service. */
const PRIVATE = { web: '198.18.0.2', ledger: '198.18.1.2' } as const;
const APPLICATIONS = {
  web: '10.77.0.10',
  first: '10.77.0.11',
  second: '10.77.0.12',
  third: '10.77.0.13',
} as const;
/** Nobody is there, so that a connection isn't even refused. */
const DEAD = '10.77.0.99';

const MESH = `
trustDomain: test.example
mtls: strict
services:
  web:
    mtls: permissive
    ports:
      ${HTTP}: { protocol: http, target: "web-application:${APPLICATION.http}" }
      ${TCP}: { protocol: tcp, target: "web-application:${APPLICATION.tcp}" }
  ledger:
    ports:
      ${HTTP}: { protocol: http, target: "ledger-application:${APPLICATION.http}" }
      ${TCP}: { protocol: tcp, target: "ledger-application:${APPLICATION.tcp}" }
`;

/** Calls of each kind. */
const ALL = 8;
const ALL_ANSWERED = { '200': 3 * ALL, tcp: ALL };
/**
 * How often the name server is asked in the 2 s within which names are followed: each second by
 * each sidecar for each port. So counted, a machine that is busy takes nothing away.
 */
const ASKED_IN_2_S = 8;

if (process.env[OWN_NAMESPACES] === undefined) {
  const lack = lackOfContainers();
  test.skipIf(lack !== undefined)(
    `in namespaces of its own${lack === undefined ? '' : ` (not here: ${lack})`}`,
    () => {
      const vitest = fileURLToPath(
        new URL('../../node_modules/vitest/vitest.mjs', import.meta.url),
      );
      const file = fileURLToPath(import.meta.url);
      const args = [...NAMESPACES, process.execPath, vitest, 'run', file];
      const env = { ...process.env, [OWN_NAMESPACES]: '1', CI: '' };
      const { status, stdout, stderr } = spawnSync('unshare', args, { env, encoding: 'utf8' });
      expect(status, `${stdout}\n${stderr}`).toBe(0);
    },
    60_000,
  );
} else {
  await describeEnvoy('sidecars in containers of their own', {}, ({ binary }) => {
    const harness = useHarness('fronted');
    let world: World;

    beforeAll(async () => {
      world = await startWorld(harness, binary);
    }, 40_000);

    describe('of one port number, a sidecar at all of its addresses', () => {
      test('serves its own service where no callee is meant', async () => {
        expect((await answerAt(SIDECARS.web)).service).toBe('web');
        expect(await tcpAt(SIDECARS.web)).toBe('web: ping');
      });

      test('calls a callee at the address that it has for it, by mTLS', async () => {
        const { service, headers } = await answerAt(PRIVATE.web);
        expect(service).toMatch(/^ledger-/);
        const uri = /;URI=spiffe:\/\/test\.example\/ns\/default\/sa\/web$/;
        expect(headers['x-forwarded-client-cert']).toMatch(uri);
        expect(await tcpAt(PRIVATE.web)).toMatch(/^ledger-.*: ping$/);
      });

      test('listens for nobody else', async () => {
        const names = (await world.web.admin.listeners()).map(({ name }) => name).sort();
        const own = ['inbound:6000', 'inbound:8080', 'mesh'];
        expect(names).toEqual([...own, 'outbound:ledger:6000', 'outbound:ledger:8080']);
      });

      test('is closed to plain text where its port is strict', async () => {
        expect(await outcome(httpCall({ address: SIDECARS.ledger, port: HTTP }))).toBe('refused');
      });
    });

    test("follows its application's name, and goes round the dead", async () => {
      await followNames(world);
    }, 30_000);
  });
}

async function followNames({ names, ledger, stopSecond, asked }: World): Promise<void> {
  expect(await answers(ALL)).toEqual(ALL_ANSWERED);
  expect(await servedBy()).toEqual(['ledger-first', 'ledger-second']);

  // One container is stopped, another has vanished, and the name server doesn't know it yet.
  await stopSecond();
  names.zone = toZone([APPLICATIONS.first, APPLICATIONS.second, DEAD]);
  await eventually(async () => (await clustersOf(ledger)).includes(`${DEAD}:`));
  expect(await answers(ALL)).toEqual(ALL_ANSWERED);

  await within2s(names, {
    zone: toZone([APPLICATIONS.third]),
    until: async () => (await servedBy()).join() === 'ledger-third',
  });

  names.zone = toZone('SERVFAIL');
  await asked(4);
  expect(await answers(ALL)).toEqual(ALL_ANSWERED);

  names.zone = {};
  await eventually(async () => (await answers(1))['503'] === 3);
  await within2s(names, {
    zone: toZone([APPLICATIONS.first, APPLICATIONS.third]),
    until: async () => (await answers(1))['200'] === 3,
  });
}

async function within2s(
  names: NameServer,
  { zone, until }: { readonly zone: NameServer['zone']; readonly until: () => Promise<boolean> },
): Promise<void> {
  names.zone = zone;
  const before = names.queries;
  await eventually(until);
  expect(names.queries - before).toBeLessThanOrEqual(ASKED_IN_2_S);
}

interface World {
  readonly names: NameServer;
  readonly web: EnvoyProcess;
  readonly ledger: EnvoyProcess;
  /** The ledger's second application. */
  readonly stopSecond: () => Promise<void>;
  /** Waits until the name server has been asked so often more. */
  readonly asked: (count: number) => Promise<void>;
}

function toZone(ledger: Answer): NameServer['zone'] {
  return { 'web-application': [APPLICATIONS.web], 'ledger-application': ledger };
}

async function startWorld(harness: Harness, binary: string): Promise<World> {
  const dir = await harness.tempDir();
  const host = setUpHost(dir);
  harness.defer('the names of this machine', () => host.close());
  const names = await startNameServer(HOST);
  harness.defer('name server', () => names.close());
  names.zone = toZone([APPLICATIONS.first, APPLICATIONS.second]);
  const second = await startApplications(harness);
  const mesh = await startMesh(harness, {
    ...{ binary, xdsHost: HOST },
    services: { web: [], ledger: [] },
    mesh: () => MESH,
  });
  const start = async (name: 'web' | 'ledger', outbound: string): Promise<EnvoyProcess> => {
    const address = SIDECARS[name];
    const container = await startContainer({ name, dir, address, also: PRIVATE[name] });
    harness.defer(`container ${name}`, () => container.stop());
    return mesh.sidecar(name, {
      ...{ address, outbound, listen: 'any', binary: container.program(binary) },
      admin: { address, port: ADMIN },
    });
  };
  const [web, ledger] = await Promise.all([
    start('web', `ledger=${PRIVATE.web}`),
    start('ledger', `nobody=${PRIVATE.ledger}`),
  ]);
  expect(await mesh.wait()).toMatchObject({ inForce: true });
  return {
    ...{ names, web, ledger },
    stopSecond: async () => void (await Promise.all(second.map((app) => app.close()))),
    asked: async (count) => {
      const until = names.queries + count;
      await eventually(() => names.queries >= until);
    },
  };
}

/** Those that are second. */
async function startApplications(harness: Harness): Promise<readonly EchoApp[]> {
  const second: EchoApp[] = [];
  for (const [key, address] of Object.entries(APPLICATIONS)) {
    addHostAddress(address);
    const name = key === 'web' ? key : `ledger-${key}`;
    const http = await harness.echoHttp({ name, address, port: APPLICATION.http });
    const tcp = await harness.echoTcp({ name, address, port: APPLICATION.tcp });
    if (key === 'second') second.push(http, tcp);
  }
  return second;
}

async function answerAt(address: string): Promise<EchoAnswer> {
  const { body } = await httpCall({ address, port: HTTP, path: '/' });
  return JSON.parse(body) as EchoAnswer;
}

async function tcpAt(address: string): Promise<string> {
  const whole = (text: string): boolean => text.endsWith('ping');
  const call = { address, port: TCP, send: 'ping', until: whole, timeoutMs: 12_000 };
  return (await tcpExchange(call)).received;
}

/** How so many calls of the ledger at once by GET, POST and HTTP/2, and so many by TCP, end. */
async function answers(count: number): Promise<Record<string, number>> {
  const at = { address: PRIVATE.web, port: HTTP, timeoutMs: 12_000 };
  const kinds = [{}, { method: 'POST', body: 'x' }, { http2: true, method: 'PUT', body: 'x' }];
  const tcp = (): Promise<string> =>
    tcpAt(PRIVATE.web).then(
      (text) => (text.endsWith(': ping') ? 'tcp' : text),
      () => 'tcp ended',
    );
  const once = () => [...kinds.map((kind) => outcome(httpCall({ ...at, ...kind }))), tcp()];
  const results = await Promise.all(Array.from({ length: count }, once).flat());
  const seen: Record<string, number> = {};
  for (const one of results) seen[one] = (seen[one] ?? 0) + 1;
  return seen;
}

/** Which of the ledger's applications answer. */
async function servedBy(): Promise<readonly string[]> {
  const all = await Promise.all(Array.from({ length: 12 }, () => answerAt(PRIVATE.web)));
  return [...new Set(all.map(({ service }) => service))].sort();
}

async function clustersOf({ name }: EnvoyProcess): Promise<string> {
  const address = SIDECARS[name as keyof typeof SIDECARS];
  return (await httpCall({ address, port: ADMIN, path: '/clusters' })).body;
}
