// A configuration that Envoy rejects reaches one sidecar of its kind and no other.
import { beforeAll, expect, test } from 'vitest';
import type { EnvoyProcess } from '../../src/demo/envoy-process.js';
import { httpCall } from '../../src/demo/http-client.js';
import { describeEnvoy, eventually, type Harness, outcome, useHarness } from '../harness/index.js';
import { startMesh, type TestMesh } from '../harness/start-mesh.js';

const OLD = 8080;
const NEW = 8081;
/** Envoy's own limit of how large a regular expression may be, which routes of HTTP need one of. */
const NO_PATTERNS = {
  layered_runtime: {
    layers: [{ name: 'strict', static_layer: { 're2.max_program_size.error_level': 1 } }],
  },
};

const toText = (target: string, more = ''): string => `
trustDomain: test.example
mtls: strict
services:
  web: {}
  ledger:
    ports:
      ${OLD}: { protocol: tcp, target: "${target}" }
${more}`;

/** Three instances of ledger, the first of which takes no pattern, and web. */
async function startFleet(harness: Harness, binary: string) {
  const mesh: TestMesh = await startMesh(harness, {
    binary,
    services: { web: [], ledger: [{ port: OLD, kind: 'http' }] },
    mesh: (service) => toText(service('ledger').target(OLD)),
  });
  const pool = await harness.addresses();
  const picky = await harness.envoy({
    ...{ binary, name: 'picky', drainTimeS: 600 },
    bootstrap: { ...(await mesh.bootstrap('ledger')), ...NO_PATTERNS },
  });
  await picky.waitReady();
  const others: EnvoyProcess[] = [];
  for (const instance of ['b', 'c']) {
    const place = { address: pool.address(), outbound: pool.block() };
    others.push(await mesh.sidecar('ledger', { instance, ...place }));
  }
  await mesh.sidecar('web');
  const address = await mesh.outboundAddress('web', 'ledger');
  expect(await mesh.wait()).toMatchObject({ inForce: true });
  return { mesh, picky, others, address };
}

await describeEnvoy('the first of a kind tries what is new', {}, ({ binary }) => {
  const harness = useHarness('canary');
  let fleet: Awaited<ReturnType<typeof startFleet>>;
  const call = (port: number) => outcome(httpCall({ address: fleet.address, port }));

  beforeAll(async () => {
    fleet = await startFleet(harness, binary);
  }, 60_000);

  test('what it rejects the others never get, and status and wait say why', async () => {
    const { mesh, others } = fleet;
    const target = mesh.service('ledger').target(OLD);
    await mesh.write(toText(target, `      ${NEW}: { protocol: http, target: "${target}" }\n`));
    const answer = await mesh.wait();
    expect(answer).toMatchObject({ inForce: false, reason: 'nacked' });
    expect(answer.nacks?.map(({ error }) => error).join('\n')).toMatch(/program size/);
    expect(answer.nacks?.find(({ type }) => type === 'rds')?.source).toMatch(/mesh\.yaml:9:7/);
    const { proxies } = await mesh.status();
    const states = proxies.filter(({ service }) => service === 'ledger').map(({ state }) => state);
    expect(states.sort()).toEqual(['held', 'held', 'nacked']);
    for (const { admin } of others) {
      expect(JSON.stringify(await admin.listeners())).not.toContain(`inbound:${NEW}`);
    }
    // The fleet serves what it served.
    for (let calls = 0; calls < 12; calls++) expect(await call(OLD)).toBe('200');
  }, 60_000);

  test('when it is gone the next one tries it, and then all have it', async () => {
    const { picky, others } = fleet;
    await picky.stop();
    await eventually(async () => (await call(NEW)) === '200', { what: 'the new port in force' });
    for (const { admin } of others) {
      expect(JSON.stringify(await admin.listeners())).toContain(`inbound:${NEW}`);
    }
  }, 60_000);
});
