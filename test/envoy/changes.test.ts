import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:tls';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { systemClock, systemRandom } from '../../src/base/index.js';
import { openDataDir } from '../../src/data/index.js';
import { createOrderStore } from '../../src/data/orders/index.js';
import type { EnvoyProcess } from '../../src/demo/envoy-process.js';
import { httpCall } from '../../src/demo/http-client.js';
import type { Load } from '../../src/demo/load.js';
import { httpShot } from '../../src/demo/load-shots.js';
import { orderRenewal } from '../../src/leaves/index.js';
import { describeEnvoy, eventually, outcome, useHarness } from '../harness/index.js';
import { expectNoneFailed } from '../harness/none-failed.js';
import { startMesh, type TestMesh, type TestService } from '../harness/start-mesh.js';
import { tcpShot } from '../harness/tcp-shot.js';

const HTTP_PORT = 8080;
const TCP_PORT = 6000;
/** Renewals of 10 s leaves to look at, 5 s each; `npm run soak` asks for more. */
const RENEWALS = Number(process.env['LEAF_RENEWALS'] ?? 4);

interface Edit {
  readonly mtls: string;
  readonly ttl?: string;
  readonly key?: string;
  readonly access?: string;
}

const toMesh = (
  service: (name: string) => TestService,
  { mtls, ttl = '24h', key = 'ecdsa-p256', access }: Edit,
) => {
  const target = (port: number): string => `"${service('ledger').target(port)}"`;
  return `
trustDomain: test.example
certificates: { ttl: ${ttl}, key: ${key} }
services:
  web: {}
  ledger:
    mtls: ${mtls}
${access === undefined ? '' : `    allow: ${access}\n`}
    ports:
      ${HTTP_PORT}: { protocol: http, target: ${target(HTTP_PORT)} }
      ${TCP_PORT}: { protocol: tcp, target: ${target(TCP_PORT)} }
`;
};

/** Type and curve or size of the key by which a server proves itself. */
async function keyOfServer(options: {
  readonly host: string;
  readonly port: number;
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
}): Promise<string> {
  const socket = connect({ ...options, checkServerIdentity: () => undefined });
  try {
    await once(socket, 'secureConnect');
    const { publicKey } = new X509Certificate(socket.getPeerCertificate().raw);
    const { namedCurve, modulusLength } = publicKey.asymmetricKeyDetails ?? {};
    return `${publicKey.asymmetricKeyType} ${namedCurve ?? modulusLength}`;
  } finally {
    socket.destroy();
  }
}

await describeEnvoy('changes under load', {}, ({ binary }) => {
  const harness = useHarness('changes');
  let mesh: TestMesh;
  let ledger: EnvoyProcess;
  let address: string;
  const edit = (change: Edit): Promise<void> =>
    mesh.edit(toMesh((name) => mesh.service(name), change));

  beforeAll(async () => {
    mesh = await startMesh(harness, {
      binary,
      services: {
        web: [],
        ledger: [
          { port: HTTP_PORT, kind: 'http' },
          { port: TCP_PORT, kind: 'tcp' },
        ],
      },
      mesh: (service) => toMesh(service, { mtls: 'permissive' }),
    });
    ledger = await mesh.sidecar('ledger');
    await mesh.sidecar('web');
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    address = await mesh.outboundAddress('web', 'ledger');
  }, 60_000);

  beforeEach(() => edit({ mtls: 'strict' }), 30_000);

  const startLoads = (): Load[] => [
    harness.load({ shot: httpShot({ address, port: HTTP_PORT }, 'keep-alive') }),
    harness.load({ shot: httpShot({ address, port: HTTP_PORT }, 'per-request') }),
    harness.load({ shot: tcpShot({ address, port: TCP_PORT }, 'per-request') }),
  ];

  test('every change of mode, one after the other, fails no request of a mesh caller', async () => {
    await edit({ mtls: 'permissive' });
    await Promise.all(startLoads().map((load) => load.more(20).then(() => load.stop())));
    const loads = startLoads();
    const modes = ['strict', 'disable', 'strict', 'permissive', 'disable', 'permissive', 'strict'];
    for (const mtls of modes) {
      await Promise.all(loads.map((load) => load.more(30)));
      await edit({ mtls });
      const plain = outcome(httpCall({ address: mesh.service('ledger').address, port: HTTP_PORT }));
      expect([mtls, await plain]).toEqual([mtls, mtls === 'strict' ? 'refused' : '200']);
    }
    await expectNoneFailed(loads, 100);
  }, 120_000);

  test('rules that come with a mode fail no request of a caller that they allow', async () => {
    await edit({ mtls: 'disable' });
    const loads = startLoads();
    const changes: Edit[] = [
      { mtls: 'strict', access: '[ { from: [web] } ]' },
      { mtls: 'disable', access: '[ { from: [anyone] } ]' },
      { mtls: 'permissive', access: '[ { from: [web] } ]' },
      { mtls: 'strict' },
    ];
    for (const change of changes) {
      await Promise.all(loads.map((load) => load.more(30)));
      await edit(change);
    }
    await expectNoneFailed(loads, 100);
  }, 120_000);

  test('a rule that lets in takes effect on an open connection and drains none', async () => {
    await edit({ mtls: 'strict', access: '[ { from: [web], methods: [GET] } ]' });
    const drains = (): Promise<number> =>
      ledger.admin.stat('listener_manager.total_filter_chains_draining');
    const changed = (): Promise<number> => ledger.admin.stat('listener_manager.listener_modified');
    const before = [await drains(), await changed()];
    expect(await outcome(httpCall({ address, port: HTTP_PORT, method: 'POST' }))).toBe('403');
    await edit({ mtls: 'strict' });
    expect(await outcome(httpCall({ address, port: HTTP_PORT, method: 'POST' }))).toBe('200');
    expect([await drains(), await changed()]).toEqual(before);
  }, 60_000);

  test('a rule that takes away does so at once, drains, and fails nothing else', async () => {
    const changed = (): Promise<number> => ledger.admin.stat('listener_manager.listener_modified');
    const before = await changed();
    // A rule of requests lets nobody connect to a tcp port.
    const [kept, perRequest, tcp] = startLoads();
    await tcp?.stop();
    const loads = [kept, perRequest].filter((load) => load !== undefined);
    await Promise.all(loads.map((load) => load.more(100)));
    await edit({ mtls: 'strict', access: '[ { from: [web], methods: [GET] } ]' });
    expect(await outcome(httpCall({ address, port: HTTP_PORT, method: 'POST' }))).toBe('403');
    // The mesh port and both declared ports.
    expect((await changed()) - before).toBe(3);
    await expectNoneFailed(loads, 100);
  }, 60_000);

  test(
    '10 s leaves are renewed under load without a failed request',
    async () => {
      await edit({ mtls: 'strict', ttl: '10s' });
      const serials = async (): Promise<string> =>
        JSON.stringify(await ledger.admin.certificates());
      const loads = startLoads();
      const seen = new Set<string>();
      for (let renewal = 0; renewal < RENEWALS; renewal++) {
        seen.add(await serials());
        const old = await serials();
        await eventually(async () => (await serials()) !== old, {
          what: 'another certificate',
          timeoutMs: 15_000,
        });
      }
      expect(seen.size).toBeGreaterThanOrEqual(RENEWALS);
      await expectNoneFailed(loads, 100);
      // A longer life begins at the next renewal: the tests that follow must not stop the server
      // before.
      await edit({ mtls: 'strict' });
      await eventually(
        async () => {
          const { proxies } = await mesh.status();
          const ends = proxies.map(({ certificate }) => Date.parse(certificate?.notAfter ?? ''));
          return Math.min(...ends) > Date.parse(proxies[0]?.connectedAt ?? '') + 3_600_000;
        },
        { what: 'leaves of a day', timeoutMs: 20_000 },
      );
    },
    120_000 + RENEWALS * 10_000,
  );

  test('leaves of every key type follow each other, and no request fails', async () => {
    const loads = startLoads();
    const { key, cert, ca } = await mesh.certificate('web');
    const server = { host: mesh.service('ledger').address, port: HTTP_PORT };
    const shown: string[] = [];
    for (const type of ['ecdsa-p384', 'rsa-2048', 'rsa-3072', 'ecdsa-p256']) {
      await Promise.all(loads.map((load) => load.more(40)));
      await edit({ mtls: 'strict', key: type });
      shown.push(await keyOfServer({ ...server, key, cert, ca }));
    }
    expect(shown).toEqual(['ec secp384r1', 'rsa 2048', 'rsa 3072', 'ec prime256v1']);
    await expectNoneFailed(loads, 100);
  }, 60_000);

  test('a leaf is replaced at once where the operator says so, and no request fails', async () => {
    const dataDir = await openDataDir({ path: mesh.dataPath, lock: false });
    const serialOf = async (service: string): Promise<string | undefined> =>
      (await mesh.status()).proxies.find((proxy) => proxy.service === service)?.certificate?.serial;
    const before = await Promise.all([serialOf('web'), serialOf('ledger')]);
    const loads = startLoads();
    await Promise.all(loads.map((load) => load.more(80)));
    const tools = { clock: systemClock, random: systemRandom };
    await orderRenewal({ service: 'ledger' }, { ...tools, store: createOrderStore(dataDir) });
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    const after = await Promise.all([serialOf('web'), serialOf('ledger')]);
    expect([after[0] === before[0], after[1] === before[1]]).toEqual([true, false]);
    await expectNoneFailed(loads, 100);
    const shown = await ledger.admin.certificates();
    expect(JSON.stringify(shown)).toContain(after[1]);
  }, 60_000);

  test('a broken edit changes nothing and is shown with its place', async () => {
    const before = (await mesh.status()).mesh.version;
    await mesh.write(toMesh((name) => mesh.service(name), { mtls: 'stirct' }));
    const answer = await mesh.wait();
    expect(answer).toMatchObject({ inForce: false, reason: 'problems' });
    expect(answer.problems?.[0]?.place).toMatch(/mesh\.yaml:7:5$/);
    expect(answer.problems?.[0]?.message).toContain('did you mean "strict"?');
    const status = await mesh.status();
    expect(status.mesh.version).toBe(before);
    expect(status.mesh.problems).toHaveLength(1);
    expect(await outcome(httpCall({ address, port: HTTP_PORT }))).toBe('200');
  }, 60_000);

  test('the server stops and starts while traffic flows: none failed', async () => {
    const loads = startLoads();
    for (let round = 0; round < 2; round++) {
      await Promise.all(loads.map((load) => load.more(50)));
      await mesh.stop();
      await Promise.all(loads.map((load) => load.more(50)));
      await mesh.start();
      await eventually(async () => (await mesh.status()).proxies.length === 2, {
        what: 'both sidecars back',
        timeoutMs: 45_000,
      });
      expect(await mesh.wait()).toMatchObject({ inForce: true });
    }
    await expectNoneFailed(loads, 100);
  }, 120_000);
});
