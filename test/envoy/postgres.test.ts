import { beforeAll, describe, expect, test } from 'vitest';
import { describeEnvoy, requirePostgres, useHarness } from '../harness/index.js';
import { ask, startPostgres } from '../harness/postgres.js';
import { startMesh, type TestMesh } from '../harness/start-mesh.js';

// A database trusts whom it takes for a process of its own host; a sidecar is one, and its callers
// are not.
const PORT = 5432;
const found = requirePostgres();

await describeEnvoy('a database behind a sidecar', {}, ({ binary }) => {
  const harness = useHarness('postgres');
  let mesh: TestMesh;
  let app: { readonly address: string; readonly port: number };

  const suite = 'bin' in found ? describe : describe.skip;
  const name = 'bin' in found ? 'PostgreSQL, as initdb makes it' : `[skipped: ${found.reason}]`;
  suite(name, () => {
    beforeAll(async () => {
      const pool = await harness.addresses();
      const address = pool.address();
      app = { address, port: await pool.port(address) };
      await startPostgres(harness, { bin: 'bin' in found ? found.bin : '', ...app });
      mesh = await startMesh(harness, {
        binary,
        services: { web: [], db: [] },
        mesh: () => `
trustDomain: test.example
services:
  web: {}
  db: { ports: { ${PORT}: { protocol: tcp, target: "${app.address}:${app.port}" } } }
`,
      });
      await mesh.sidecar('db');
      expect(await mesh.wait()).toMatchObject({ inForce: true });
    }, 90_000);

    test('trusts a process of its host', async () => {
      expect(await ask(app)).toBe('nothing at all');
    });

    test('asks a stranger in plain text for the password', async () => {
      const { address } = mesh.service('db');
      expect(await ask({ address, port: PORT })).toBe('a password');
    });

    test('asks a caller of the mesh for the password', async () => {
      const { address } = mesh.service('db');
      const { key, cert } = await mesh.certificate('web');
      const tls = { key, cert, servername: `${PORT}.db.default.mesh` };
      expect(await ask({ address, port: 15443, tls })).toBe('a password');
    });
  });
});
