import { connect as connectHttp2 } from 'node:http2';
import { createServer } from 'node:tls';
import { beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { systemClock, systemRandom } from '../../src/base/index.js';
import { offerCaChain } from '../../src/ca/change/index.js';
import { createCaChain, loadAuthority } from '../../src/ca/index.js';
import { createOrderStore } from '../../src/data/orders/index.js';
import { httpCall } from '../../src/demo/http-client.js';
import { recordHandedOut } from '../../src/leaves/index.js';
import { GONE_GRACE_MS } from '../../src/server/fleet/registry.js';
import { parseSpiffeId } from '../../src/spiffe/index.js';
import { generateKeys } from '../../src/x509/keys/index.js';
import { describeEnvoy, eventually, outcome, useHarness } from '../harness/index.js';
import { expectNoneFailed } from '../harness/none-failed.js';
import { openTcp } from '../harness/open-connection.js';
import { type RawTls, rawRequest } from '../harness/raw-tls.js';
import {
  allBut,
  DRAIN_S,
  HTTP_PORT,
  MESH_PORT,
  OLD_PORT,
  RevocationMesh,
  STORE_PORT,
  TCP_PORT,
  type Thief,
} from './revocation-mesh.js';

// What a revocation does at real Envoys: who is refused, which open connections end, what nobody
// else notices, and that all of it comes back. Every test begins with nothing revoked.

/** Envoy looks for connections to cut every so often. */
const CUT_WITHIN_MS = DRAIN_S * 1000 + 4_000;

for (const { version, sotw } of [
  { version: '1.40.0', sotw: false },
  { version: '1.36.4', sotw: true },
]) {
  const name = `revocation, Envoy ${version}, ${sotw ? 'SotW' : 'delta'}`;
  await describeEnvoy(name, { version }, ({ binary }) => {
    const harness = useHarness(`revocation-${sotw ? 'sotw' : 'delta'}`);
    let revocation: RevocationMesh;

    beforeAll(async () => {
      revocation = await RevocationMesh.start(harness, { binary, sotw });
    }, 60_000);
    beforeEach(() => revocation.restore(), 90_000);

    const given =
      (run: (of: RevocationMesh) => Promise<void>): (() => Promise<void>) =>
      () =>
        run(revocation);
    test(
      'a service is refused on open and new connections, also after a restart; nobody else loses ' +
        'a request; it comes back when undone',
      given(showService),
      240_000,
    );
    test(
      'an instance is refused and called no more; the other instance loses no request; it comes ' +
        'back when undone',
      given(showInstance),
      210_000,
    );
    test(
      'a certificate that was handed out is refused, and another of the same service is not',
      given(showHandedOut),
      60_000,
    );
    test(
      'a certificate of a connected sidecar is replaced at once, and it loses no request',
      given(showOfSidecar),
      60_000,
    );
    test(
      'a certificate of a server is refused by its callers, whoever shows it at its address',
      given(showOfServer),
      60_000,
    );
    test(
      'a token opens no stream any more, and the certificate that it got stays',
      given(showToken),
      90_000,
    );
    test(
      'a change of root while something is revoked fails no request',
      given(showRootChange),
      90_000,
    );
  });
}

const BATCH = { kind: 'service', subject: 'batch' } as const;

async function showService(of: RevocationMesh): Promise<void> {
  const stolen = await of.thief('batch~one');
  expect((await rawRequest(stolen)).outcome).toBe('200');
  await revokeService(of);
  expect((await rawRequest(stolen)).outcome).toBe('refused');
  const modified = await of.stat('ledger~one', 'listener_manager.listener_modified');
  await restartWhileShutOut(of, stolen);
  await undoService(of, stolen);
  expect(await of.stat('ledger~one', 'listener_manager.listener_modified')).toBe(modified);
}

async function revokeService(of: RevocationMesh): Promise<void> {
  const { mesh } = of;
  const address = await mesh.outboundAddress('batch', 'ledger');
  const call = (): Promise<string> => outcome(httpCall({ address, port: HTTP_PORT }));
  expect(await call()).toBe('200');
  const tcp = await openTcp({ address, port: TCP_PORT });
  const others = await openTcp({
    address: await mesh.outboundAddress('web', 'store'),
    port: STORE_PORT,
  });
  const session = connectHttp2(`http://${address}:${HTTP_PORT}`);
  const over = (): Promise<number> =>
    new Promise((resolve, reject) => {
      const stream = session.request({ ':path': '/' });
      stream.on('response', (headers) => resolve(headers[':status'] ?? 0));
      stream.on('error', reject);
      stream.resume().end();
    });
  expect(await over()).toBe(200);
  const loads = await of.startLoads();
  const changes = (): Promise<number[]> =>
    Promise.all([
      of.stat('ledger~one', 'listener_manager.listener_modified'),
      of.stat('ledger~one', 'listener_manager.listener_in_place_updated'),
      of.stat('store~one', 'listener_manager.listener_modified'),
    ]);
  const [modified = 0, inPlace = 0, ofStore = 0] = await changes();

  await of.revoke(BATCH);
  const revokedMs = systemClock.now();

  expect(await over()).toBe(403);
  session.close();
  expect(await call()).not.toBe('200');
  await eventually(() => tcp.isClosed, {
    what: 'the open connection cut',
    timeoutMs: CUT_WITHIN_MS,
  });
  expect(systemClock.now() - revokedMs).toBeLessThan(CUT_WITHIN_MS);
  await others.echo();
  others.close();
  await expectNoneFailed(loads, 50);
  expect(await of.nodes()).toEqual(allBut('batch~one', 'batch~two'));
  expect((await mesh.status()).revocations).toMatchObject([
    { kind: 'service', subject: 'batch', proxies: { inForce: 4, of: 4 } },
  ]);
  // The mesh port and the three declared ports, which stay open: chains change in place.
  expect(await changes()).toEqual([modified + 4, inPlace + 4, ofStore]);
}

async function restartWhileShutOut(of: RevocationMesh, stolen: Thief): Promise<void> {
  const { mesh } = of;
  const before = mesh.log.length;
  await mesh.stop();
  await mesh.start();
  await of.untilConnected(...allBut('batch~one', 'batch~two'));
  expect(await mesh.wait()).toMatchObject({ inForce: true });
  expect((await rawRequest(stolen)).outcome).toBe('refused');
  await eventually(
    () => mesh.log.slice(before).some(({ message }) => message.includes('refused')),
    { what: 'a refused sidecar', timeoutMs: 45_000 },
  );
}

async function undoService(of: RevocationMesh, stolen: Thief): Promise<void> {
  await of.undo(BATCH);
  expect((await rawRequest(stolen)).outcome).toBe('200');
  await of.untilConnected('batch~one');
  const address = await of.mesh.outboundAddress('batch', 'ledger');
  await eventually(async () => (await outcome(httpCall({ address, port: HTTP_PORT }))) === '200', {
    what: 'a call that is served',
    timeoutMs: 20_000,
  });
}

async function showInstance(of: RevocationMesh): Promise<void> {
  const subject = { kind: 'instance', subject: 'ledger~two' } as const;
  const served = (): Promise<number> =>
    of.stat('ledger~two', 'http.inbound_8080.downstream_rq_2xx');
  const sessions = await openSessions(of);
  const address = await of.mesh.outboundAddress('web', 'ledger');
  const callsBefore = await served();
  await eventually(
    async () => {
      await httpCall({ address, port: HTTP_PORT });
      return (await served()) > callsBefore;
    },
    { what: 'a call at the second instance', timeoutMs: 20_000 },
  );
  const connected = await of.stat('ledger~two', 'tcp.local_6000*.downstream_cx_total');
  const open = [
    await openTcp({ address, port: TCP_PORT }),
    await openTcp({ address, port: TCP_PORT }),
  ];
  expect(await of.stat('ledger~two', 'tcp.local_6000*.downstream_cx_total')).toBeGreaterThan(
    connected,
  );
  const loads = await of.startLoads();

  await of.revoke(subject);

  const outcomes: string[] = [];
  for (const client of sessions) {
    const resumed = await rawRequest(client);
    const fresh = await rawRequest({ ...client, session: undefined });
    outcomes.push(`${resumed.outcome} ${fresh.outcome}`);
  }
  expect(outcomes).toEqual(['refused refused', 'refused refused', '200 200']);
  await eventually(() => open.every((one) => one.isClosed), {
    what: 'open connections cut',
    timeoutMs: CUT_WITHIN_MS,
  });
  const calls = await served();
  await Promise.all(loads.map((load) => load.more(50)));
  await expectNoneFailed(loads, 50);
  expect(await served()).toBe(calls);
  expect(await of.nodes()).not.toContain('ledger~two');

  await of.undo(subject);
  expect((await rawRequest(await of.thief('ledger~two'))).outcome).toBe('200');
  await of.untilConnected('ledger~two');
}

/** Of a thief by TLS 1.3 and 1.2, and of a good client: each with what it got to resume by. */
async function openSessions(of: RevocationMesh): Promise<readonly RawTls[]> {
  const clients: readonly RawTls[] = [
    await of.thief('ledger~two'),
    { ...(await of.thief('ledger~two', OLD_PORT)), maxVersion: 'TLSv1.2' },
    await of.thief('ledger~one'),
  ];
  const opened: RawTls[] = [];
  for (const client of clients) {
    const first = await rawRequest(client);
    expect(first).toMatchObject({ outcome: '200', resumed: false });
    const again = await rawRequest({ ...client, session: first.session });
    expect(again).toMatchObject({ outcome: '200', resumed: false });
    opened.push({ ...client, session: again.session ?? first.session });
  }
  return opened;
}

async function showHandedOut(of: RevocationMesh): Promise<void> {
  const parts = { dataDir: await of.dataDir(), clock: systemClock, random: systemRandom };
  const authority = await loadAuthority(parts);
  const hand = async (): Promise<Thief> => {
    const leaf = await authority.issueLeaf({
      spiffeId: parseSpiffeId('spiffe://test.example/ns/default/sa/web'),
      dnsNames: [],
      ttlMs: 3_600_000,
      key: 'ecdsa-p256',
    });
    await recordHandedOut(parts.dataDir, { certificate: leaf, service: 'web' });
    const { keyPem: key, chainPem: cert, serialHex } = leaf;
    return { ...(await of.thief('ledger~one')), key, cert, serialHex };
  };
  const [lost, kept] = [await hand(), await hand()];
  expect((await rawRequest(lost)).outcome).toBe('200');
  const subject = { kind: 'serial', subject: lost.serialHex } as const;
  await of.revoke(subject);
  const outcomes = async (): Promise<string[]> => [
    (await rawRequest(lost)).outcome,
    (await rawRequest(kept)).outcome,
  ];
  expect(await outcomes()).toEqual(['refused', '200']);
  await of.undo(subject);
  expect(await outcomes()).toEqual(['200', '200']);
}

async function showOfSidecar(of: RevocationMesh): Promise<void> {
  const stolen = await of.thief('web~one');
  const serial = async (): Promise<string> => (await of.serials()).get('web~one') ?? '';
  const old = await serial();
  const loads = await of.startLoads();
  await of.revoke({ kind: 'serial', subject: old });
  expect(await serial()).not.toBe(old);
  expect((await rawRequest(stolen)).outcome).toBe('refused');
  expect((await rawRequest(await of.thief('web~one'))).outcome).toBe('200');
  await expectNoneFailed(loads, 50);
}

async function showOfServer(of: RevocationMesh): Promise<void> {
  const { key, cert, serialHex } = await of.thief('ledger~two');
  const host = await of.kill('ledger~two');
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
  onTestFinished(() => void impostor.close());
  const address = await of.mesh.outboundAddress('web', 'ledger');
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
  await of.revoke({ kind: 'serial', subject: serialHex });
  seen.verified = 0;
  await callUntil('a caller that refuses', () => seen.refused > 0);
  expect(await call()).toBe('200');
  expect(seen.verified).toBe(0);
  of.mesh.clock.putForward(GONE_GRACE_MS);
  await eventually(
    async () => (await of.stat('web~one', 'cluster.ledger_8080.membership_total')) === 1,
    { what: 'the address forgotten', timeoutMs: 15_000 },
  );
}

async function showToken(of: RevocationMesh): Promise<void> {
  const claims = Buffer.from(of.token.split('.')[1] ?? '', 'base64url').toString();
  const { jti } = JSON.parse(claims) as { jti: string };
  const subject = { kind: 'token', subject: jti } as const;
  await of.revoke(subject);
  expect(await of.nodes()).toEqual(allBut('batch~two'));
  expect((await rawRequest(await of.thief('batch~two'))).outcome).toBe('200');
  await of.undo(subject);
  await of.untilConnected('batch~two');
}

async function showRootChange(of: RevocationMesh): Promise<void> {
  const parts = { clock: systemClock, random: systemRandom, keySource: generateKeys };
  await of.revoke({ kind: 'serial', subject: '0a' });
  const before = await of.serials();
  const loads = await of.startLoads();
  await offerCaChain(
    createOrderStore(await of.dataDir()),
    await createCaChain('test.example', parts),
    parts,
  );
  const old = new Set(before.values());
  await eventually(
    async () => {
      const now = await of.serials();
      return now.size === before.size && [...now.values()].every((serial) => !old.has(serial));
    },
    { what: 'leaves of the new root everywhere', timeoutMs: 40_000 },
  );
  expect(await of.mesh.wait()).toMatchObject({ inForce: true });
  await expectNoneFailed(loads, 50);
  expect((await rawRequest(await of.thief('web~one'))).outcome).toBe('200');
}
