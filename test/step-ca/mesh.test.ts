// A mesh of stock Envoys whose certificates a real step-ca signs: mTLS works, leaves are renewed
// under load, and while the CA is gone those in force stay.
import { join } from 'node:path';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import type { EnvoyProcess } from '../../src/demo/envoy-process.js';
import { httpCall } from '../../src/demo/http-client.js';
import { httpShot } from '../../src/demo/load-shots.js';
import { describeEnvoy, eventually, outcome, useHarness } from '../harness/index.js';
import { describeStepCa } from '../harness/require-step-ca.js';
import { startMesh, type TestMesh, type TestService } from '../harness/start-mesh.js';
import { createStepCa, type StepCa } from '../harness/step-ca.js';

const PORT = 8080;
/** Renewed every 8 s; so a leaf lasts for half a minute more while the CA is gone. */
const CERTIFICATES = '{ ttl: 40s, renewAt: 0.2 }';

const toMesh = (service: (name: string) => TestService, stepCa: StepCa): string => {
  const app = service('ledger').apps.get(PORT);
  return `
trustDomain: test.example
authority:
  stepCa:
    url: ${stepCa.url}
    root: ${stepCa.rootPath}
    provisioner: ${stepCa.provisioner}
    key: ${stepCa.keyPath}
certificates: ${CERTIFICATES}
mtls: strict
services:
  web: {}
  ledger:
    ports:
      ${PORT}: { protocol: http, target: "${app?.address}:${app?.port}" }
`;
};

await describeEnvoy('a mesh', {}, ({ binary }) => {
  describeStepCa('with leaves of step-ca', (stepCaBinary) => {
    const harness = useHarness('step-ca mesh');
    let stepCa: StepCa;
    let mesh: TestMesh;
    let ledger: EnvoyProcess;
    let address: string;

    const serials = async (): Promise<readonly string[]> =>
      (await mesh.status()).proxies.map(({ certificate }) => String(certificate?.serial));
    const renewed = (before: readonly string[]): Promise<boolean> =>
      eventually(async () => (await serials()).every((serial) => !before.includes(serial)), {
        what: 'both leaves to be renewed',
        timeoutMs: 30_000,
      });
    let logStart = 0;
    /** In this test. */
    const refusals = () =>
      mesh.log
        .slice(logStart)
        .filter(({ message }) => message === 'a certificate could not be renewed');

    beforeAll(async () => {
      const pool = await harness.addresses();
      const at = pool.address();
      stepCa = await createStepCa(harness, {
        binary: stepCaBinary,
        dir: join(await harness.tempDir(), 'step-ca'),
        address: at,
        port: await pool.port(at),
        claims: { minTLSCertDuration: '10s' },
      });
      harness.defer('step-ca', () => stepCa.kill());
      // It logs the one-time tokens that it is given.
      const withoutTokens = (text: string): string => text.replaceAll(/eyJ[\w.-]+/g, '<token>');
      harness.onDump('step-ca.log', () => withoutTokens(stepCa.log().join('\n')));
      await stepCa.start();
      mesh = await startMesh(harness, {
        binary,
        services: { web: [], ledger: [{ port: PORT, kind: 'http' }] },
        mesh: (service) => toMesh(service, stepCa),
      });
      ledger = await mesh.sidecar('ledger');
      await mesh.sidecar('web');
      expect(await mesh.wait()).toMatchObject({ inForce: true });
      address = await mesh.outboundAddress('web', 'ledger');
    }, 60_000);

    beforeEach(() => {
      logStart = mesh.log.length;
    });

    test('STRICT mTLS between them, by leaves of that CA', async () => {
      expect(mesh.server().authority).toEqual({ created: false, outsideUrl: stepCa.url });
      expect(await outcome(httpCall({ address, port: PORT }))).toBe('200');
      const plain = httpCall({ address: mesh.service('ledger').address, port: PORT });
      expect(await outcome(plain)).toBe('refused');
      const shown = JSON.stringify(await ledger.admin.certificates());
      expect(shown).toContain('spiffe://test.example/ns/default/sa/ledger');
      expect(shown).toContain(stepCa.ca.root.template.serialHex);
    });

    test('renewals fail no request', async () => {
      const load = harness.load({ shot: httpShot({ address, port: PORT }, 'per-request') });
      for (const _round of [1, 2]) await renewed(await serials());
      const result = await load.stop();
      expect(result.requests).toBeGreaterThan(100);
      expect(result).toMatchObject({ failures: 0, errors: [] });
      expect(Object.keys(result.answers)).toEqual(['200']);
      expect(refusals()).toEqual([]);
    }, 90_000);

    test('while the CA is gone leaves in force stay; later they are renewed', async () => {
      await renewed(await serials());
      const before = await serials();
      const load = harness.load({ shot: httpShot({ address, port: PORT }, 'per-request') });
      await stepCa.kill();
      await eventually(() => refusals().length >= 2, {
        what: 'renewals to fail',
        timeoutMs: 30_000,
      });
      expect(await serials()).toEqual(before);
      expect(refusals()[0]).toMatchObject({
        err: `MeshError: the CA at ${stepCa.url} does not answer: nothing listens there`,
        retryAtMs: expect.any(Number),
      });
      await stepCa.start();
      await renewed(before);
      const result = await load.stop();
      expect(result).toMatchObject({ failures: 0, errors: [] });
      expect(Object.keys(result.answers)).toEqual(['200']);
    }, 120_000);

    test('the server starts while the CA is gone, with the leaves that it had', async () => {
      await renewed(await serials());
      const before = await serials();
      const load = harness.load({ shot: httpShot({ address, port: PORT }, 'per-request') });
      await stepCa.kill();
      await mesh.stop();
      await mesh.start();
      const isBack = async (): Promise<boolean> => {
        const now = await serials();
        return before.every((serial) => now.includes(serial));
      };
      await eventually(isBack, { what: 'both sidecars, with the same leaves', timeoutMs: 20_000 });
      await stepCa.start();
      await renewed(before);
      expect(await load.stop()).toMatchObject({ failures: 0, errors: [] });
    }, 90_000);

    test('no key or token of ours is in what was logged', () => {
      const logged = [JSON.stringify(mesh.log), ...stepCa.log()].join('\n');
      expect(logged).not.toContain('PRIVATE KEY');
      expect(JSON.stringify(mesh.log)).not.toMatch(/eyJ[\w-]+\.eyJ/);
    });
  });
});
