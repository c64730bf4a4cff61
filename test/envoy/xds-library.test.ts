// envoy-examples/08-xds-library as its README has it, on ports of our own.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { describeEnvoy, eventually, plainGet, useHarness } from '../harness/index.js';

const EXAMPLE = fileURLToPath(new URL('../../envoy-examples/08-xds-library/', import.meta.url));
const MAX_LINES = 40;

/** The example's bootstrap, on other ports. */
function toBootstrap(ports: { readonly admin: number; readonly xds: number }): object {
  const text = readFileSync(`${EXAMPLE}envoy.json`, 'utf8');
  const moved = text
    .replace('"port_value": 9901', `"port_value": ${ports.admin}`)
    .replace('"port_value": 18000', `"port_value": ${ports.xds}`);
  return JSON.parse(moved) as object;
}

test('the server is as short as it says', () => {
  const lines = readFileSync(`${EXAMPLE}server.mjs`, 'utf8').trimEnd().split('\n');
  expect(lines.length).toBeLessThanOrEqual(MAX_LINES);
});

await describeEnvoy('a server of the library alone', {}, ({ binary }) => {
  const harness = useHarness('xds-library');

  test('serves an Envoy, follows what is typed, and ends on SIGTERM', async () => {
    const pool = await harness.addresses();
    const [xds, port, admin] = [
      await pool.port('127.0.0.1'),
      await pool.port('127.0.0.1'),
      await pool.port('127.0.0.1'),
    ];
    const server = await harness.process({
      name: 'example server',
      command: process.execPath,
      args: [`${EXAMPLE}server.mjs`, String(xds), String(port)],
      stdin: 'pipe',
    });
    await server.child.waitForLog(/serving xDS/);
    const bootstrap = toBootstrap({ admin, xds });
    const envoy = await harness.envoy({ binary, name: 'envoy', bootstrap });
    await envoy.waitReady();
    const text = async (): Promise<string> =>
      (await plainGet({ address: '127.0.0.1', port, path: '/' })).body;
    await eventually(async () => (await text()) === 'hello\n', { what: 'hello' });
    server.write('good morning\n');
    await eventually(async () => (await text()) === 'good morning\n', { what: 'good morning' });
    expect(server.child.log().join('\n')).toContain(
      'envoy-1 acked type.googleapis.com/envoy.config.route',
    );
    server.child.signal('SIGTERM');
    expect(await server.ended).toMatchObject({ code: 0, signal: null });
  });
});
