// envoy-examples/grpc-client as its README has it, against a server of its own.
import { execFile, execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/base/index.js';
import { startServer } from '../../src/server/index.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { Cli, MESH } from './cli.js';

const CLIENT = fileURLToPath(
  new URL('../../envoy-examples/grpc-client/client.mjs', import.meta.url),
);
const silent = { debug() {}, info() {}, warn() {}, error() {} };

test('it prints that the server serves, and a certificate for its token and key', async () => {
  const cli = new Cli({ clock: new ManualClock(systemClock.now()) });
  cli.write('mesh.yaml', MESH);
  const server = await startServer({
    ...{ meshPath: cli.path('mesh.yaml'), dataPath: cli.path('data'), logger: silent },
    ...{ xds: { host: '127.0.0.1', port: 0 }, admin: { host: '127.0.0.1', port: 0 } },
  });
  onTestFinished(() => server.close());
  const data = ['--data', '<dir>/data'];
  cli.write('xds.pem', (await cli.run('ca', 'bundle', '--xds', ...data)).stdout);
  cli.write('web.token', (await cli.run('token', 'web', ...data)).stdout);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc'];
  const files = ['-keyout', cli.path('web.key'), '-out', cli.path('web.csr')];
  execFileSync('openssl', ['req', '-new', ...key, '-subj', '/', ...files], { stdio: 'ignore' });
  const given = ['xds.pem', 'web.token', 'web.csr'].map((name) => cli.path(name));
  const argv = [CLIENT, `127.0.0.1:${server.xdsAddress.port}`, ...given];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, argv);
  expect(stderr).toBe('health: SERVING\n');
  const leaf = new X509Certificate(stdout);
  expect(leaf.subjectAltName).toContain('URI:spiffe://shop.example/ns/default/sa/web');
  const own = execFileSync('openssl', ['pkey', '-in', cli.path('web.key'), '-pubout']);
  expect(leaf.publicKey.export({ type: 'spki', format: 'pem' })).toBe(own.toString());
  expect(stdout.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
});

test('its README names the files that there are', () => {
  const readme = readFileSync(new URL('README.md', new URL(`file://${CLIENT}`)), 'utf8');
  const named = [...readme.matchAll(/`([a-z-]+\.proto)`/g)].map(([, name]) => name);
  expect(named).toContain('istio-ca.proto');
  const text = (name?: string): string =>
    readFileSync(new URL(`../../protos/countersign/${name}`, import.meta.url), 'utf8');
  for (const name of named) expect(text(name)).toMatch(/^service /m);
});
