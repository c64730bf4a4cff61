// What an edit costs on the wire: messages and bytes to sidecars, and their answers, are those of
// the services that it touches, however many others there are. Translations are counted in
// fleet/affected.test.ts.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { systemClock, systemRandom } from '../../src/base/index.js';
import { loadOrCreateAnchorPem, XDS_SERVER_NAME } from '../../src/ca/xds/index.js';
import { replaceFile } from '../../src/demo/replace-file.js';
import { createTokenKeys } from '../../src/tokens/index.js';
import { eventually } from '../harness/index.js';
import { startTestServer, type TestServer } from '../harness/running-server.js';

/** Sidecars that say what an Envoy says; the benchmark's. */
const SIDECARS = fileURLToPath(new URL('../../bench/sidecars.mjs', import.meta.url));
const DAY_MS = 86_400_000;

/** A ledger that web alone calls, among so many services that nobody calls. */
function toServices(others: number, mode: string): string {
  const rest = Array.from({ length: others }, (_, i) => {
    return `  other-${i}: { access: deny, ports: { 7000: http } }`;
  });
  const ledger = `{ mtls: ${mode}, allow: [ { from: [web] } ], ports: { 8080: http } }`;
  return `services:\n  web: {}\n  ledger: ${ledger}\n${rest.join('\n')}`;
}

async function startSidecars({ dataDir, server }: TestServer, services: readonly string[]) {
  const parts = { dataDir, clock: systemClock, random: systemRandom };
  const keys = await createTokenKeys(parts);
  const sidecars = services.map((service, index) => {
    const request = { audience: 'countersign-xds', subject: service, ttlMs: DAY_MS } as const;
    const { token } = keys.sign(request);
    return { service, instance: 'one', address: `10.1.0.${index + 1}`, token };
  });
  const child = fork(SIDECARS);
  onTestFinished(() => void child.kill());
  const { host, port } = server.xdsAddress;
  const trust = { anchorPem: await loadOrCreateAnchorPem(parts), target: XDS_SERVER_NAME };
  child.send({ address: `${host}:${port}`, sidecars, ...trust });
  const hear = async (): Promise<Record<string, unknown>> => (await once(child, 'message'))[0];
  expect(await hear()).toMatchObject({ kind: 'open' });
  return {
    async traffic() {
      child.send({ kind: 'traffic' });
      return hear();
    },
  };
}

async function untilInForce(test: TestServer): Promise<void> {
  await eventually(
    async () => {
      const answer = JSON.parse(await test.get('/v1/wait?timeout_ms=5000')) as { inForce: boolean };
      return answer.inForce;
    },
    { what: 'the mesh in force', timeoutMs: 20_000 },
  );
}

async function costOf(others: number): Promise<Record<string, unknown>> {
  const test = await startTestServer(toServices(others, 'strict'));
  onTestFinished(() => test.close());
  const names = Array.from({ length: others }, (_, i) => `other-${i}`);
  const sidecars = await startSidecars(test, ['web', 'ledger', ...names]);
  await untilInForce(test);
  await sidecars.traffic();
  const text = `trustDomain: test.example\n${toServices(others, 'disable')}\n`;
  await replaceFile(test.meshPath, text);
  await untilInForce(test);
  return sidecars.traffic();
}

it('an edit sends as much, and is answered as often, among 12 services as among 6', async () => {
  const [some, many] = [await costOf(6), await costOf(12)];
  expect(many).toEqual(some);
  expect(some['received']).toBeGreaterThan(2);
}, 60_000);
