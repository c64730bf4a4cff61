import { createServer } from 'node:tls';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { openDataDir } from '../../src/data/index.js';
import { httpCall } from '../../src/demo/http-client.js';
import { LeafStore } from '../../src/leaves/index.js';
import type { NodeId } from '../../src/spiffe/index.js';
import { describeEnvoy, eventually, outcome, useHarness } from '../harness/index.js';
import { type RawTls, rawRequest } from '../harness/raw-tls.js';
import { startMesh, type TestMesh } from '../harness/start-mesh.js';

// A resumed TLS session shows no certificate, so that it would outlive the one that it was made
// with (decision 034). Behind each port, tcp too, is an application that answers HTTP.
const MESH_PORT = 15443;
const HTTP = 8080;
const TCP = 8081;
const STRICT = 8082;
const STRICT_TCP = 8083;
const PORTS = [HTTP, TCP, STRICT, STRICT_TCP] as const;
const SHORT_MS = 6_000;

const toMesh = (target: (port: number) => string): string => `
trustDomain: test.example
tls: { minVersion: TLSv1_2 }
services:
  web: {}
  gone: { ports: { ${HTTP}: { protocol: http, target: "${target(HTTP)}" } } }
  back:
    ports:
      ${HTTP}: { protocol: http, target: "${target(HTTP)}" }
      ${TCP}: { protocol: tcp, target: "${target(TCP)}" }
      ${STRICT}: { protocol: http, mtls: strict, target: "${target(STRICT)}" }
      ${STRICT_TCP}: { protocol: tcp, mtls: strict, target: "${target(STRICT_TCP)}" }
`;

await describeEnvoy('sessions of TLS', {}, ({ binary }) => {
  const harness = useHarness('tickets');
  let mesh: TestMesh;

  beforeAll(async () => {
    const apps = PORTS.map((port) => ({ port, kind: 'http' as const }));
    mesh = await startMesh(harness, {
      binary,
      services: { web: [], gone: [], back: apps },
      mesh: (service) => toMesh((port) => service('back').target(port)),
    });
    await Promise.all(['back', 'web'].map((name) => mesh.sidecar(name)));
    expect(await mesh.wait()).toMatchObject({ inForce: true });
  }, 60_000);

  test(
    'a certificate that has ended opens nothing by a session from before its end',
    () => showEnded(mesh),
    30_000,
  );

  test(
    'a sidecar resumes no session with a server whose certificate may have ended',
    () => showThief(mesh),
    40_000,
  );
});

async function toClients(mesh: TestMesh): Promise<readonly (RawTls & { readonly name: string })[]> {
  const { address } = mesh.service('back');
  const leaf = await mesh.certificate('web', SHORT_MS);
  const at = PORTS.flatMap((port) => [
    { port: MESH_PORT, servername: `${port}.back.default.mesh`, name: `${port}, mesh port` },
    ...(port === TCP ? [] : [{ port, servername: 'back', name: `${port}` }]),
  ]);
  return (['TLSv1.2', 'TLSv1.3'] as const).flatMap((maxVersion) =>
    at.map((one) => ({
      ...one,
      name: `${one.name}, ${maxVersion}`,
      address,
      maxVersion,
      ...leaf,
    })),
  );
}

async function showEnded(mesh: TestMesh): Promise<void> {
  const clients = await toClients(mesh);
  const opened = await Promise.all(
    clients.map(async (client) => {
      const { outcome: fresh, session } = await rawRequest(client);
      const again = await rawRequest({ ...client, session });
      return { client, fresh, session: again.session ?? session };
    }),
  );
  expect(opened.filter(({ fresh }) => fresh !== '200')).toEqual([]);
  const [{ client } = { client: undefined }] = opened;
  if (client === undefined) throw new Error('no clients');
  await eventually(async () => (await rawRequest(client)).outcome === 'refused', {
    what: 'the end of the certificate',
    timeoutMs: 2 * SHORT_MS,
  });
  const late = await Promise.all(
    opened.map(async ({ client: one, session }) => {
      const { outcome: how, resumed } = await rawRequest({ ...one, session });
      return `${one.name}: ${how}${resumed ? ', resumed' : ''}`;
    }),
  );
  expect(late).toEqual(clients.map(({ name }) => `${name}: refused`));
}

async function showThief(mesh: TestMesh): Promise<void> {
  const sidecar = await mesh.sidecar('gone');
  expect(await mesh.wait()).toMatchObject({ inForce: true });
  const dataDir = await openDataDir({ path: mesh.dataPath, lock: false });
  const { proxies } = await mesh.status();
  const gone = proxies.find(({ node }) => node.startsWith('gone~'));
  const leaf = await new LeafStore(dataDir).load((gone?.node ?? '') as NodeId);
  if (leaf === undefined) throw new Error('no leaf of gone');
  await sidecar.process.kill();
  const seen = { all: 0, resumed: 0 };
  const thief = createServer({ key: leaf.keyPem, cert: leaf.chainPem }, (socket) => {
    seen.all++;
    if (socket.isSessionReused()) seen.resumed++;
    // Once the handshake is done for the caller too, with the tickets that follow it.
    socket.on('data', () => socket.destroy());
    socket.on('error', () => undefined);
  });
  const { address } = mesh.service('gone');
  await new Promise<void>((resolve) => thief.listen(MESH_PORT, address, resolve));
  onTestFinished(() => void thief.close());
  const outbound = await mesh.outboundAddress('web', 'gone');
  await eventually(
    async () => {
      await outcome(httpCall({ address: outbound, port: HTTP }));
      return seen.all >= 6;
    },
    { what: 'connections of the caller', timeoutMs: 15_000 },
  );
  expect(seen.resumed).toBe(0);
}
