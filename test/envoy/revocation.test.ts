import { connect as connectHttp2 } from 'node:http2';
import type { Socket } from 'node:net';
import { createServer } from 'node:tls';
import { beforeAll, describe, expect, test } from 'vitest';
import { systemClock, systemRandom } from '../../src/base/index.js';
import { createCaChain, loadAuthority, offerCaChain } from '../../src/ca/index.js';
import { openDataDir } from '../../src/data/index.js';
import { createOrderStore } from '../../src/data/orders/index.js';
import type { EnvoyProcess } from '../../src/demo/envoy-process.js';
import { httpCall } from '../../src/demo/http-client.js';
import type { Load } from '../../src/demo/load.js';
import { httpShot } from '../../src/demo/load-shots.js';
import { openSocket } from '../../src/demo/tcp-client.js';
import { withDeadline } from '../../src/demo/wait.js';
import { LeafStore, recordHandedOut } from '../../src/leaves/index.js';
import {
  addRevocation,
  type RevocationSubject,
  removeRevocation,
} from '../../src/revocation/index.js';
import type { NodeId } from '../../src/spiffe/index.js';
import { parseSpiffeId } from '../../src/spiffe/index.js';
import { generateKeys } from '../../src/x509/keys/index.js';
import { describeEnvoy, eventually, outcome, useHarness } from '../harness/index.js';
import { type RawTls, rawRequest } from '../harness/raw-tls.js';
import {
  type SidecarOptions,
  startMesh,
  type TestMesh,
  type TestService,
} from '../harness/start-mesh.js';
import { tcpShot } from '../harness/tcp-shot.js';

const MESH_PORT = 15443;
const HTTP_PORT = 8080;
/** The same over TLS 1.2. */
const OLD_PORT = 8082;
const TCP_PORT = 6000;
const STORE_PORT = 6001;
const DRAIN_S = 3;
/** Envoy looks for connections to cut every so often. */
const CUT_WITHIN_MS = DRAIN_S * 1000 + 4_000;

const toMesh = (service: (name: string) => TestService): string => {
  const target = (name: string, port: number): string => {
    const app = service(name).apps.get(port);
    return `target: "${app?.address}:${app?.port}"`;
  };
  return `
trustDomain: test.example
mtls: strict
services:
  web: {}
  batch: {}
  ledger:
    ports:
      ${HTTP_PORT}: { protocol: http, ${target('ledger', HTTP_PORT)} }
      ${OLD_PORT}:
        protocol: http
        tls: { minVersion: TLSv1_2, maxVersion: TLSv1_2 }
        ${target('ledger', OLD_PORT)}
      ${TCP_PORT}: { protocol: tcp, ${target('ledger', TCP_PORT)} }
  store:
    allow: [ { from: [web] } ]
    ports:
      ${STORE_PORT}: { protocol: tcp, ${target('store', STORE_PORT)} }
`;
};

for (const { version, sotw } of [
  { version: '1.40.0', sotw: false },
  { version: '1.36.4', sotw: true },
]) {
  const name = `revocation, Envoy ${version}, ${sotw ? 'SotW' : 'delta'}`;
  await describeEnvoy(name, { version }, ({ binary }) => showRevocation({ binary, sotw }));
}

/** A TCP connection to an echo, kept open. */
class OpenTcp {
  readonly #socket: Socket;
  #isClosed = false;
  #line = 0;

  constructor(address: string, port: number) {
    this.#socket = openSocket({ address, port });
    this.#socket.on('error', () => undefined);
    this.#socket.on('close', () => {
      this.#isClosed = true;
    });
    this.#socket.on('end', () => {
      this.#isClosed = true;
    });
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  async echo(): Promise<void> {
    const line = `line ${++this.#line}\n`;
    await withDeadline({ what: 'an echo', timeoutMs: 5_000 }, () => {
      const heard = new Promise<void>((resolve) => {
        this.#socket.on('data', (chunk: Buffer) => {
          if (chunk.toString().includes(line)) resolve();
        });
      });
      this.#socket.write(line);
      return heard;
    });
  }

  close(): void {
    this.#socket.destroy();
  }
}

function showRevocation({ binary, sotw }: { binary: string; sotw: boolean }): void {
  const harness = useHarness(`revocation-${sotw ? 'sotw' : 'delta'}`);
  const sidecars = new Map<string, EnvoyProcess>();
  let mesh: TestMesh;

  const dataDir = () => openDataDir({ path: mesh.dataPath, lock: false });
  const revoke = async (subject: RevocationSubject): Promise<void> => {
    await addRevocation(await dataDir(), { ...subject, revokedAtMs: systemClock.now() });
    expect(await mesh.wait()).toMatchObject({ inForce: true });
  };
  const undo = async (subject: RevocationSubject): Promise<void> => {
    await removeRevocation(await dataDir(), subject);
    expect(await mesh.wait()).toMatchObject({ inForce: true });
  };
  const start = async (
    name: string,
    instance: string,
    { elsewhere = false, token }: { elsewhere?: boolean; token?: string } = {},
  ): Promise<void> => {
    const pool = await harness.addresses();
    const options: SidecarOptions = {
      ...{ instance, sotw, drainTimeS: DRAIN_S },
      ...(elsewhere ? { address: pool.address(), outbound: pool.block() } : {}),
      ...(token === undefined ? {} : { token: { kind: 'inline', token } }),
    };
    sidecars.set(`${name}~${instance}`, await mesh.sidecar(name, options));
  };
  const nodes = async (): Promise<string[]> =>
    (await mesh.status()).proxies.map(({ node }) => node).sort();
  /** `_` of the name stands for any character: versions differ in what they replace by it. */
  const stat = async (node: string, name: string): Promise<number> => {
    const pattern = `^${name.replaceAll('.', '\\.').replaceAll('_', '.')}$`;
    const found = (await sidecars.get(node)?.admin.stats(pattern)) ?? new Map<string, number>();
    return [...found.values()][0] ?? 0;
  };
  /** Whoever has stolen a node's key. */
  const thief = async (node: NodeId, port = HTTP_PORT): Promise<RawTls & { serialHex: string }> => {
    const parts = { dataDir: await dataDir(), clock: systemClock, random: systemRandom };
    const leaf = await new LeafStore(parts.dataDir).load(node);
    if (leaf === undefined) throw new Error(`no leaf of ${node}`);
    const { trustAnchorsPem: ca } = await loadAuthority(parts);
    const { address } = mesh.service('ledger');
    const servername = `${port}.ledger.default.mesh`;
    const { keyPem: key, chainPem: cert, serialHex } = leaf;
    return { address, port: MESH_PORT, servername, key, cert, ca, serialHex };
  };

  beforeAll(async () => {
    mesh = await startMesh(harness, {
      binary,
      services: {
        web: [],
        batch: [],
        ledger: [
          { port: HTTP_PORT, kind: 'http' },
          { port: OLD_PORT, kind: 'http' },
          { port: TCP_PORT, kind: 'tcp' },
        ],
        store: [{ port: STORE_PORT, kind: 'tcp' }],
      },
      mesh: toMesh,
    });
    await start('ledger', 'one');
    await start('store', 'one');
    await start('web', 'one');
    await start('batch', 'one');
    expect(await mesh.wait()).toMatchObject({ inForce: true });
  }, 60_000);

  const startLoads = async (): Promise<Load[]> => {
    const address = await mesh.outboundAddress('web', 'ledger');
    return [
      harness.load({ shot: httpShot({ address, port: HTTP_PORT }, 'keep-alive') }),
      harness.load({ shot: httpShot({ address, port: HTTP_PORT }, 'per-request') }),
      harness.load({ shot: tcpShot({ address, port: TCP_PORT }, 'per-request') }),
    ];
  };
  const expectNoneFailed = async (loads: readonly Load[]): Promise<void> => {
    for (const load of loads) {
      await load.more(30);
      const result = await load.stop();
      expect(result.requests).toBeGreaterThan(50);
      expect(result).toMatchObject({ failures: 0, errors: [] });
      expect(Object.keys(result.answers).filter((answer) => /^[45]/.test(answer))).toEqual([]);
    }
  };

  describe('a service', () => {
    const subject = { kind: 'service', subject: 'batch' } as const;

    test('is refused on open and new connections; nobody else loses a request', async () => {
      const address = await mesh.outboundAddress('batch', 'ledger');
      const storeAddress = await mesh.outboundAddress('web', 'store');
      const call = (): Promise<string> => outcome(httpCall({ address, port: HTTP_PORT }));
      const stolen = await thief('batch~one');
      expect(await call()).toBe('200');
      expect((await rawRequest(stolen)).outcome).toBe('200');
      const tcp = new OpenTcp(address, TCP_PORT);
      const others = new OpenTcp(storeAddress, STORE_PORT);
      await Promise.all([tcp.echo(), others.echo()]);
      const session = connectHttp2(`http://${address}:${HTTP_PORT}`);
      const over = (): Promise<number> =>
        new Promise((resolve, reject) => {
          const stream = session.request({ ':path': '/' });
          stream.on('response', (headers) => resolve(headers[':status'] ?? 0));
          stream.on('error', reject);
          stream.resume().end();
        });
      expect(await over()).toBe(200);
      const loads = await startLoads();
      await Promise.all(loads.map((load) => load.more(20)));
      const modified = await stat('ledger~one', 'listener_manager.listener_modified');
      const inPlace = await stat('ledger~one', 'listener_manager.listener_in_place_updated');

      await revoke(subject);
      const revokedMs = systemClock.now();

      expect(await over()).toBe(403);
      session.close();
      expect(await call()).not.toBe('200');
      expect((await rawRequest(stolen)).outcome).toBe('refused');
      await eventually(() => tcp.isClosed, {
        what: 'the open connection cut',
        timeoutMs: CUT_WITHIN_MS,
      });
      expect(systemClock.now() - revokedMs).toBeLessThan(CUT_WITHIN_MS);
      await others.echo();
      others.close();
      await expectNoneFailed(loads);
      expect(await nodes()).toEqual(['ledger~one', 'store~one', 'web~one']);
      expect((await mesh.status()).revocations).toMatchObject([
        { kind: 'service', subject: 'batch', proxies: { inForce: 3, of: 3 } },
      ]);
      // The mesh port and the three declared ports, which stay open: chains change in place.
      expect(await stat('ledger~one', 'listener_manager.listener_modified')).toBe(modified + 4);
      const inPlaceNow = await stat('ledger~one', 'listener_manager.listener_in_place_updated');
      expect(inPlaceNow).toBe(inPlace + 4);
      expect(await stat('store~one', 'listener_manager.listener_modified')).toBe(0);
    }, 90_000);

    test('stays shut out over a restart of the server, and comes back when undone', async () => {
      const stolen = await thief('batch~one');
      const before = await stat('ledger~one', 'listener_manager.listener_modified');
      await mesh.stop();
      await mesh.start();
      await eventually(async () => (await nodes()).length === 3, {
        what: 'the others back',
        timeoutMs: 45_000,
      });
      expect(await mesh.wait()).toMatchObject({ inForce: true });
      expect((await rawRequest(stolen)).outcome).toBe('refused');
      await eventually(() => mesh.log.some(({ message }) => message.includes('refused')), {
        what: 'a refused sidecar',
        timeoutMs: 45_000,
      });
      await undo(subject);
      expect((await rawRequest(stolen)).outcome).toBe('200');
      await eventually(async () => (await nodes()).includes('batch~one'), {
        what: 'the sidecar back',
        timeoutMs: 60_000,
      });
      const address = await mesh.outboundAddress('batch', 'ledger');
      await eventually(
        async () => (await outcome(httpCall({ address, port: HTTP_PORT }))) === '200',
        { what: 'a call that is served', timeoutMs: 20_000 },
      );
      expect(await stat('ledger~one', 'listener_manager.listener_modified')).toBe(before);
    }, 150_000);
  });

  describe('an instance', () => {
    const subject = { kind: 'instance', subject: 'ledger~two' } as const;

    test('is refused and called no more; the other instance loses no request', async () => {
      await start('ledger', 'two', { elsewhere: true });
      expect(await mesh.wait()).toMatchObject({ inForce: true });
      const stolen = await thief('ledger~two');
      const old = { ...(await thief('ledger~two', OLD_PORT)), maxVersion: 'TLSv1.2' } as const;
      const good = await thief('ledger~one');
      const sessions: [RawTls, Buffer | undefined][] = [];
      for (const client of [stolen, old, good]) {
        const first = await rawRequest(client);
        expect(first).toMatchObject({ outcome: '200', resumed: false });
        const again = await rawRequest({ ...client, session: first.session });
        expect(again).toMatchObject({ outcome: '200', resumed: true });
        sessions.push([client, again.session ?? first.session]);
      }
      const address = await mesh.outboundAddress('web', 'ledger');
      const served = await stat('ledger~two', 'http.inbound_8080.downstream_rq_2xx');
      await eventually(
        async () => {
          await httpCall({ address, port: HTTP_PORT });
          return (await stat('ledger~two', 'http.inbound_8080.downstream_rq_2xx')) > served;
        },
        { what: 'a call at the second instance', timeoutMs: 20_000 },
      );
      const open = [new OpenTcp(address, TCP_PORT), new OpenTcp(address, TCP_PORT)];
      await Promise.all(open.map((one) => one.echo()));
      expect(await stat('ledger~two', 'tcp.local_6000.downstream_cx_total')).toBeGreaterThan(0);
      const loads = await startLoads();
      await Promise.all(loads.map((load) => load.more(20)));

      await revoke(subject);

      const outcomes: string[] = [];
      for (const [client, session] of sessions) {
        const resumed = await rawRequest({ ...client, session });
        const fresh = await rawRequest(client);
        outcomes.push(`${resumed.outcome} ${fresh.outcome}`);
      }
      expect(outcomes).toEqual(['refused refused', 'refused refused', '200 200']);
      await eventually(() => open.every((one) => one.isClosed), {
        what: 'open connections cut',
        timeoutMs: CUT_WITHIN_MS,
      });
      const calls = await stat('ledger~two', 'http.inbound_8080.downstream_rq_2xx');
      await Promise.all(loads.map((load) => load.more(50)));
      await expectNoneFailed(loads);
      expect(await stat('ledger~two', 'http.inbound_8080.downstream_rq_2xx')).toBe(calls);
      expect(await nodes()).not.toContain('ledger~two');
    }, 120_000);

    test('comes back when it is undone', async () => {
      await undo(subject);
      expect((await rawRequest(await thief('ledger~two'))).outcome).toBe('200');
      await eventually(async () => (await nodes()).includes('ledger~two'), {
        what: 'the sidecar back',
        timeoutMs: 60_000,
      });
    }, 90_000);
  });

  describe('a certificate', () => {
    test('that was handed out is refused, and another of the same service is not', async () => {
      const parts = { dataDir: await dataDir(), clock: systemClock, random: systemRandom };
      const authority = await loadAuthority(parts);
      const hand = async (): Promise<RawTls & { serialHex: string }> => {
        const leaf = await authority.issueLeaf({
          spiffeId: parseSpiffeId('spiffe://test.example/ns/default/sa/web'),
          dnsNames: [],
          ttlMs: 3_600_000,
          key: 'ecdsa-p256',
        });
        await recordHandedOut(parts.dataDir, { certificate: leaf, service: 'web' });
        const { keyPem: key, chainPem: cert, serialHex } = leaf;
        return { ...(await thief('ledger~one')), key, cert, serialHex };
      };
      const [lost, kept] = [await hand(), await hand()];
      expect((await rawRequest(lost)).outcome).toBe('200');
      const subject = { kind: 'serial', subject: lost.serialHex } as const;
      await revoke(subject);
      const outcomes = async (): Promise<string[]> => [
        (await rawRequest(lost)).outcome,
        (await rawRequest(kept)).outcome,
      ];
      expect(await outcomes()).toEqual(['refused', '200']);
      await undo(subject);
      expect(await outcomes()).toEqual(['200', '200']);
    }, 60_000);

    test('of a connected sidecar is replaced at once, and it loses no request', async () => {
      const stolen = await thief('web~one');
      const serial = async (): Promise<string> =>
        (await mesh.status()).proxies.find(({ node }) => node === 'web~one')?.certificate?.serial ??
        '';
      const old = await serial();
      const loads = await startLoads();
      await Promise.all(loads.map((load) => load.more(20)));
      await revoke({ kind: 'serial', subject: old });
      expect(await serial()).not.toBe(old);
      expect((await rawRequest(stolen)).outcome).toBe('refused');
      expect((await rawRequest(await thief('web~one'))).outcome).toBe('200');
      await expectNoneFailed(loads);
    }, 60_000);

    test('of a server is refused by its callers, whoever shows it at its address', async () => {
      const node = 'ledger~two';
      const { key, cert, serialHex } = await thief(node);
      const host = (await mesh.status()).proxies.find((one) => one.node === node)?.address ?? '';
      await sidecars.get(node)?.process.kill();
      const seen = { verified: 0, refused: 0 };
      const impostor = createServer({ key, cert, ALPNProtocols: ['h2'] }, (socket) => {
        seen.verified++;
        socket.destroy();
      });
      impostor.on('tlsClientError', () => {
        seen.refused++;
      });
      await new Promise<void>((resolve) => {
        impostor.listen(MESH_PORT, host, resolve);
      });
      harness.defer('impostor', () => impostor.close());
      const address = await mesh.outboundAddress('web', 'ledger');
      const call = (): Promise<string> => outcome(httpCall({ address, port: HTTP_PORT }));
      const callUntil = (what: string, holds: () => boolean): Promise<unknown> =>
        eventually(
          async () => {
            await call();
            return holds();
          },
          { what, timeoutMs: 8_000 },
        );
      await callUntil('a caller that is taken in', () => seen.verified > 0);
      await revoke({ kind: 'serial', subject: serialHex });
      seen.verified = 0;
      await callUntil('a caller that refuses', () => seen.refused > 0);
      expect(await call()).toBe('200');
      expect(seen.verified).toBe(0);
      await eventually(
        async () => (await stat('web~one', 'cluster.ledger_8080.membership_total')) === 1,
        { what: 'the address forgotten', timeoutMs: 15_000 },
      );
    }, 60_000);
  });

  test('a token opens no stream any more, and the certificate that it got stays', async () => {
    const token = await mesh.token('batch');
    const claims = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString();
    const { jti } = JSON.parse(claims) as { jti: string };
    await start('batch', 'three', { elsewhere: true, token });
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    expect(await nodes()).toContain('batch~three');
    const subject = { kind: 'token', subject: jti } as const;
    await revoke(subject);
    expect(await nodes()).toEqual(expect.arrayContaining(['batch~one', 'web~one']));
    expect(await nodes()).not.toContain('batch~three');
    expect((await rawRequest(await thief('batch~three'))).outcome).toBe('200');
    await undo(subject);
    await eventually(async () => (await nodes()).includes('batch~three'), {
      what: 'the sidecar back',
      timeoutMs: 60_000,
    });
  }, 90_000);

  test('a change of root while something is revoked fails no request', async () => {
    const parts = { clock: systemClock, random: systemRandom, keySource: generateKeys };
    await revoke({ kind: 'serial', subject: '0a' });
    const serials = async (): Promise<(string | undefined)[]> =>
      (await mesh.status()).proxies.map(({ certificate }) => certificate?.serial);
    const before = await serials();
    const loads = await startLoads();
    await Promise.all(loads.map((load) => load.more(20)));
    await offerCaChain(
      createOrderStore(await dataDir()),
      await createCaChain('test.example', parts),
      parts,
    );
    await eventually(
      async () => {
        const now = await serials();
        return now.length === before.length && now.every((serial) => !before.includes(serial));
      },
      { what: 'leaves of the new root everywhere', timeoutMs: 40_000 },
    );
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    await expectNoneFailed(loads);
    expect((await rawRequest(await thief('web~one'))).outcome).toBe('200');
  }, 90_000);
}
