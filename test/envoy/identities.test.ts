import { beforeAll, beforeEach, expect, test } from 'vitest';
import type { EnvoyProcess } from '../../src/demo/envoy-process.js';
import { httpCall } from '../../src/demo/http-client.js';
import type { Load } from '../../src/demo/load.js';
import { httpShot } from '../../src/demo/load-shots.js';
import { describeEnvoy, outcome, useHarness } from '../harness/index.js';
import { expectNoneFailed } from '../harness/none-failed.js';
import { openTcp } from '../harness/open-connection.js';
import { startMesh, type TestMesh, type TestService } from '../harness/start-mesh.js';
import { tcpShot } from '../harness/tcp-shot.js';

// Names, accounts and what becomes of a removed service, under load: web calls ledger, which calls
// store (decision 046).

const HTTP_PORT = 8080;
const TCP_PORT = 6000;

const APPLICATIONS = [
  { port: HTTP_PORT, kind: 'http' },
  { port: TCP_PORT, kind: 'tcp' },
] as const;

interface Edit {
  /** What ledger is called, and what else is said of it; undefined: it is not declared. */
  readonly ledger: readonly [name: string, settings: string] | undefined;
  /** Whom store lets in; default: ledger by its name. */
  readonly callers?: string;
}

const toMesh = (service: (name: string) => TestService, { ledger, callers }: Edit): string => {
  const ports = (name: string): string => {
    const target = (port: number): string => `"${service(name).target(port)}"`;
    return `
      ${HTTP_PORT}: { protocol: http, target: ${target(HTTP_PORT)} }
      ${TCP_PORT}: { protocol: tcp, target: ${target(TCP_PORT)} }`;
  };
  const [name, settings] = ledger ?? [];
  const own =
    name === undefined
      ? ''
      : `
  ${name}:
    ${settings}
    allow: [ { from: [web] } ]
    ports:${ports('ledger')}`;
  return `
trustDomain: test.example
mtls: strict
services:
  web: {}
  store:
    allow: [ { from: [${callers ?? `"${name}"`}] } ]
    ports:${ports('store')}${own}
`;
};

await describeEnvoy('a service that changes its name or identity, under load', {}, ({ binary }) => {
  const harness = useHarness('identities');
  let mesh: TestMesh;
  let ledger: EnvoyProcess;
  /** Where web calls ledger, and where ledger calls store. */
  let calls: readonly string[];
  const edit = (change: Edit): Promise<void> =>
    mesh.edit(toMesh((name) => mesh.service(name), change));

  beforeAll(async () => {
    mesh = await startMesh(harness, {
      binary,
      services: {
        web: [],
        ledger: APPLICATIONS,
        'payments/books': APPLICATIONS,
        store: APPLICATIONS,
      },
      mesh: (service) => toMesh(service, { ledger: ['ledger', 'sidecar: true'] }),
    });
    const drain = { drainTimeS: 5 };
    [, ledger] = await Promise.all([
      mesh.sidecar('store', drain),
      mesh.sidecar('ledger', drain),
      mesh.sidecar('web', drain),
    ]);
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    calls = [
      await mesh.outboundAddress('web', 'ledger'),
      await mesh.outboundAddress('ledger', 'store'),
    ];
  }, 60_000);

  const startLoads = (addresses: readonly string[]): readonly Load[] =>
    addresses.flatMap((address) => [
      harness.load({ shot: httpShot({ address, port: HTTP_PORT }, 'keep-alive') }),
      harness.load({ shot: httpShot({ address, port: HTTP_PORT }, 'per-request') }),
      harness.load({ shot: tcpShot({ address, port: TCP_PORT }, 'per-request') }),
    ]);
  const identityOf = async (node: string): Promise<string | undefined> => {
    const { proxies } = await mesh.status();
    return proxies.find((proxy) => proxy.node.startsWith(`${node}~`))?.certificate?.spiffeId;
  };
  const during = async (change: () => Promise<void>): Promise<void> => {
    const loads = startLoads(calls);
    await Promise.all(loads.map((load) => load.more(100)));
    await change();
    await Promise.all(loads.map((load) => load.more(100)));
    await expectNoneFailed(loads, 100);
  };

  /** Tests come in any order. */
  beforeEach(() => edit({ ledger: ['ledger', 'sidecar: true'] }), 30_000);

  test('another service account, there and back, fails no request', async () => {
    await during(async () => {
      await edit({ ledger: ['ledger', 'serviceAccount: money'] });
      expect(await identityOf('ledger')).toBe('spiffe://test.example/ns/default/sa/money');
      await edit({ ledger: ['ledger', 'sidecar: true'] });
      expect(await identityOf('ledger')).toBe('spiffe://test.example/ns/default/sa/ledger');
    });
  }, 90_000);

  test('a renamed service: its sidecars run on, start again, and get another name', async () => {
    await during(async () => {
      await edit({ ledger: ['payments/books', 'formerly: [ledger]'] });
      expect(await identityOf('ledger')).toBe('spiffe://test.example/ns/payments/sa/books');
      expect(await mesh.outboundAddress('web', 'payments/books')).toBe(calls[0]);
      const { proxies } = await mesh.status();
      expect(proxies.map(({ declared }) => declared)).toEqual([true, true, true]);
    });
    // By the token of the earlier name.
    await ledger.stop();
    ledger = await mesh.sidecar('ledger', { drainTimeS: 5 });
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    expect(await identityOf('ledger')).toBe('spiffe://test.example/ns/payments/sa/books');
    const books = await mesh.sidecar('payments/books', { drainTimeS: 5 });
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    const own = await mesh.outboundAddress('payments/books', 'store');
    const loads = startLoads([calls[0] ?? '', own]);
    await Promise.all(loads.map((load) => load.more(100)));
    await edit({ ledger: ['payments/books', 'sidecar: true'] });
    const { removed } = await mesh.status();
    expect(removed).toMatchObject([{ service: 'ledger', stage: 'draining' }]);
    await Promise.all(loads.map((load) => load.more(100)));
    await expectNoneFailed(loads, 100);
    await edit({ ledger: ['ledger', 'formerly: [payments/books]'] });
    await during(async () => undefined);
    await books.stop();
  }, 120_000);

  test('a service that is removed lets go what is open, and may come back', async () => {
    const [address = ''] = calls;
    const open = await openTcp({ address, port: TCP_PORT });
    await open.echo();
    await edit({ ledger: undefined, callers: 'web' });
    const { removed, warnings } = await mesh.status();
    expect(removed).toMatchObject([{ service: 'ledger', stage: 'draining' }]);
    expect(warnings.map(({ text }) => text).join()).toContain('ledger~');
    await expect(outcome(httpCall({ address, port: HTTP_PORT }))).resolves.toBe('refused');
    await open.echo();
    await edit({ ledger: ['ledger', 'sidecar: true'] });
    await during(async () => undefined);
    expect((await mesh.status()).removed).toEqual([]);
    open.close();
  }, 90_000);
});
