// envoy-examples/xds-library as its README has it, on ports of our own.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { describeEnvoy, eventually, plainGet, useHarness } from './harness/index.js';

const EXAMPLE = fileURLToPath(new URL('../../envoy-examples/xds-library/', import.meta.url));
const MAX_LINES = 40;

function start(...args: readonly string[]): {
  process: ChildProcessWithoutNullStreams;
  output(): string;
} {
  const child = spawn(process.execPath, [`${EXAMPLE}server.mjs`, ...args]);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (bytes: Buffer) => {
      output += bytes;
    });
  }
  return { process: child, output: () => output };
}

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
    const server = start(String(xds), String(port));
    harness.defer('example server', () => server.process.kill('SIGKILL'));
    harness.onDump('server.log', server.output);
    await eventually(() => server.output().includes('serving xDS'), { what: 'a server' });
    const bootstrap = toBootstrap({ admin, xds });
    const envoy = await harness.envoy({ binary, name: 'envoy', bootstrap });
    await envoy.waitReady();
    const text = async (): Promise<string> =>
      (await plainGet({ address: '127.0.0.1', port, path: '/' })).body;
    await eventually(async () => (await text()) === 'hello\n', { what: 'hello' });
    server.process.stdin.write('good morning\n');
    await eventually(async () => (await text()) === 'good morning\n', { what: 'good morning' });
    expect(server.output()).toContain('envoy-1 acked type.googleapis.com/envoy.config.route');
    const ended = once(server.process, 'exit');
    server.process.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
  });
});
