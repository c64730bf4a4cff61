import { beforeAll, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../src/base/index.js';
import type { EnvoyProcess } from '../../src/demo/envoy-process.js';
import { httpCall } from '../../src/demo/http-client.js';
import { httpShot } from '../../src/demo/load-shots.js';
import { describeEnvoy, eventually, outcome, useHarness } from '../harness/index.js';
import { type Open, openStream, openTcp, openWebSocket } from '../harness/open-connection.js';
import { startMesh, type TestMesh, type TestService } from '../harness/start-mesh.js';

// An edit that no longer lets a caller in ends what it has open, at the callee and within the
// callee's drain time, whatever the caller's side does: the callers here have no sidecar, but one.
const HTTP = 8080;
const OPEN_HTTP = 8081;
const GRPC = 8082;
const TCP = 6000;
const OTHER_TCP = 6001;
const STORE = 6002;
const MESH_PORT = 15443;
const DRAIN_S = 3;
/** Envoy looks for connections to cut every so often. */
const CUT_WITHIN_MS = DRAIN_S * 1000 + 4_000;

interface Edit {
  readonly callers?: string;
  readonly anyone?: string;
  readonly namespaced?: string;
}

function toMesh(service: (name: string) => TestService, edit: Edit = {}): string {
  const { callers = '[web, batch]', anyone = '[anyone]', namespaced = '{}' } = edit;
  const at = (name: string, port: number): string => {
    return `target: "${service(name).target(port)}"`;
  };
  const both = 'mtls: strict, allow: [ { from: [web, batch] } ]';
  const guarded = `mtls: strict, allow: [ { from: ${callers} } ]`;
  return `
trustDomain: test.example
namespaces: { shop: ${namespaced} }
services:
  web: {}
  batch: {}
  ledger:
    ports:
      ${HTTP}: { protocol: http, ${at('ledger', HTTP)}, ${guarded} }
      ${OPEN_HTTP}: { protocol: http, ${at('ledger', OPEN_HTTP)}, allow: [ { from: ${anyone} } ] }
      ${GRPC}: { protocol: grpc, ${at('ledger', GRPC)}, ${guarded} }
      ${TCP}: { protocol: tcp, ${at('ledger', TCP)}, ${guarded} }
      ${OTHER_TCP}: { protocol: tcp, ${at('ledger', OTHER_TCP)}, ${both} }
  shop/store:
    ports:
      ${STORE}: { protocol: tcp, ${at('shop/store', STORE)} }
`;
}

await describeEnvoy('a permission that is taken away', {}, ({ binary }) => {
  const harness = useHarness('taken-away');
  let mesh: TestMesh;
  let ledger: EnvoyProcess;
  let store: EnvoyProcess;
  const edit = (change: Edit): Promise<void> =>
    mesh.edit(toMesh((name) => mesh.service(name), change));
  const modified = (of: EnvoyProcess): Promise<number> =>
    of.admin.stat('listener_manager.listener_modified');
  const as = async (name: string, callee: string, port: number) => {
    const { key, cert } = await mesh.certificate(name);
    const [namespace = 'default', short = callee] = callee.includes('/') ? callee.split('/') : [];
    const servername = `${port}.${short}.${namespace}.mesh`;
    const { address } = mesh.service(callee);
    return { address, port: MESH_PORT, tls: { key, cert, servername } };
  };
  const expectCut = async (opens: Readonly<Record<string, Open>>): Promise<void> => {
    const beganMs = systemClock.now();
    const left = (): string[] =>
      Object.entries(opens).flatMap(([name, open]) => (open.isClosed ? [] : [name]));
    await eventually(() => left().length === 0, {
      what: 'every one of them ended',
      timeoutMs: CUT_WITHIN_MS,
    }).catch((error: unknown) => {
      throw new Error(`still open: ${left()}`, { cause: error });
    });
    expect(systemClock.now() - beganMs).toBeLessThan(CUT_WITHIN_MS);
  };

  beforeAll(async () => {
    mesh = await startMesh(harness, {
      binary,
      services: {
        web: [],
        batch: [],
        ledger: [
          { port: HTTP, kind: 'http' },
          { port: OPEN_HTTP, kind: 'http' },
          { port: GRPC, kind: 'http2' },
          { port: TCP, kind: 'tcp' },
          { port: OTHER_TCP, kind: 'tcp' },
        ],
        'shop/store': [{ port: STORE, kind: 'tcp' }],
      },
      mesh: (service) => toMesh(service),
    });
    ledger = await mesh.sidecar('ledger', { drainTimeS: DRAIN_S });
    store = await mesh.sidecar('shop/store', { drainTimeS: DRAIN_S });
    // It would keep its connections for 10 minutes.
    await mesh.sidecar('batch', { drainTimeS: 600 });
    await mesh.sidecar('web', { drainTimeS: 600 });
    expect(await mesh.wait()).toMatchObject({ inForce: true });
  }, 60_000);

  beforeEach(() => edit({}), 30_000);

  test('ends the WebSocket, the stream and the connection of a caller that goes', async () => {
    const through = await mesh.outboundAddress('batch', 'ledger');
    const gone: Record<string, Open> = {
      tcp: await openTcp(await as('batch', 'ledger', TCP)),
      'tcp by its sidecar': await openTcp({ address: through, port: TCP }),
      WebSocket: await openWebSocket(await as('batch', 'ledger', HTTP)),
      'WebSocket by its sidecar': await openWebSocket({ address: through, port: HTTP }),
      stream: await openStream(await as('batch', 'ledger', GRPC)),
    };
    const stays: Record<string, Open> = {
      'another port': await openTcp(await as('batch', 'ledger', OTHER_TCP)),
      'another service': await openTcp(await as('batch', 'shop/store', STORE)),
      'plain text': await openWebSocket({
        address: mesh.service('ledger').address,
        port: OPEN_HTTP,
      }),
    };
    const [storeBefore] = [await modified(store)];
    const address = await mesh.outboundAddress('web', 'ledger');
    const load = harness.load({ shot: httpShot({ address, port: HTTP }, 'keep-alive') });
    await load.more(20);

    await edit({ callers: '[web]' });

    await expectCut(gone);
    for (const open of Object.values(stays)) {
      await open.echo();
      expect(open.isClosed).toBe(false);
      open.close();
    }
    await load.more(50);
    const result = await load.stop();
    expect(result).toMatchObject({ failures: 0, errors: [] });
    expect(Object.keys(result.answers).filter((answer) => /^[45]/.test(answer))).toEqual([]);
    expect(await modified(store)).toBe(storeBefore);
    await expect(openTcp(await as('batch', 'ledger', TCP))).rejects.toThrow();
  }, 60_000);

  test('cuts nothing when it is given back, and nothing at a restart of the server', async () => {
    await edit({ callers: '[web]' });
    const web = await openTcp(await as('web', 'ledger', TCP));
    const before = await modified(ledger);
    await edit({});
    const batch = await openTcp(await as('batch', 'ledger', TCP));
    await mesh.stop();
    await mesh.start();
    await eventually(async () => (await mesh.status()).proxies.length === 4, {
      what: 'all sidecars back',
      timeoutMs: 45_000,
    });
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    expect(await modified(ledger)).toBe(before);
    await Promise.all([web.echo(), batch.echo()]);
    web.close();
    // And the same edit once more ends it.
    await edit({ callers: '[web]' });
    await expectCut({ tcp: batch });
  }, 120_000);

  test('ends what callers in plain text have open, and no connection of the mesh', async () => {
    const plain = await openWebSocket({ address: mesh.service('ledger').address, port: OPEN_HTTP });
    const other = await openTcp(await as('web', 'ledger', TCP));
    const identity = await openWebSocket(await as('web', 'ledger', OPEN_HTTP));
    await edit({ anyone: '["*"]' });
    await expectCut({ plain });
    await Promise.all([other.echo(), identity.echo()]);
    other.close();
    identity.close();
    const { address } = mesh.service('ledger');
    expect(await outcome(httpCall({ address, port: OPEN_HTTP }))).toBe('403');
  }, 60_000);

  test("ends what a namespace's default no longer lets in, in plain text too", async () => {
    const gone = {
      tcp: await openTcp(await as('web', 'shop/store', STORE)),
      plain: await openTcp({ address: mesh.service('shop/store').address, port: STORE }),
    };
    const before = await modified(ledger);
    await edit({ namespaced: '{ access: deny }' });
    await expectCut(gone);
    expect(await modified(ledger)).toBe(before);
  }, 60_000);
});
