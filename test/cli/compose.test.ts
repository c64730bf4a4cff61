import { chmodSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import { parseMesh } from '../../src/policy/index.js';
import { Cli } from './cli.js';

const SHOP = `name: shop
services:
  web:
    image: nginx
    ports: ["127.0.0.1:8080:80"]
    environment: { DB: "postgres://u:\${PASSWORD}@db:5432/x" }
  db: { image: postgres:16, environment: { POSTGRES_PASSWORD: "\${PASSWORD}" } }
  agent: { image: agent, network_mode: host }
`;

let cli: Cli;

beforeEach(() => {
  cli = new Cli();
  cli.write('docker-compose.yml', SHOP);
  cli.write('.env', 'PASSWORD=swordfish\n');
  chmodSync(cli.dir, 0o755);
});

/** By our own reader, whatever this machine has. */
async function compose(...flags: readonly string[]): ReturnType<Cli['run']> {
  const path = process.env['PATH'];
  process.env['PATH'] = cli.dir;
  try {
    return await cli.run('compose', '<dir>/docker-compose.yml', ...flags);
  } finally {
    process.env['PATH'] = path;
  }
}

function read(name: string): string {
  return readFileSync(cli.path(name), 'utf8');
}

test('it writes a mesh and an override, and says what became of each service', async () => {
  const { code, stdout, stderr } = await compose();
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain('shop: 3 services, read by our own reader\n');
  expect(stdout).toMatch(/meshed:\n {2}web {2}fronted {2}80 http +published 127.0.0.1:8080:80\n/);
  expect(stdout).toContain('left out:\n  agent: host network\n');
  expect(stdout).toContain('wrote <dir>/mesh.yaml\nwrote <dir>/docker-compose.mesh.yml\n');
  const files = '-f <dir>/docker-compose.yml -f <dir>/docker-compose.mesh.yml';
  expect(stdout).toContain(`start: docker compose ${files} up -d\n`);
  const { mesh } = parseMesh([{ path: 'mesh.yaml', text: read('mesh.yaml') }]);
  expect([...(mesh?.services.keys() ?? [])]).toEqual(expect.arrayContaining(['web', 'db']));
  expect(read('docker-compose.mesh.yml')).toContain(
    'volumes: ["countersign-data:/data", ".:/mesh:ro"]',
  );
});

test('no value of the environment is in what it writes or says', async () => {
  const { stdout } = await compose();
  for (const text of [stdout, read('mesh.yaml'), read('docker-compose.mesh.yml')]) {
    expect(text).not.toContain('swordfish');
  }
});

test('a second run changes nothing, and says so', async () => {
  await compose();
  const before = ['mesh.yaml', 'docker-compose.mesh.yml'].map((name) => statSync(cli.path(name)));
  const { code, stdout } = await compose();
  expect(code).toBe(0);
  expect(stdout).toContain(
    'unchanged: <dir>/mesh.yaml\nunchanged: <dir>/docker-compose.mesh.yml\n',
  );
  const after = ['mesh.yaml', 'docker-compose.mesh.yml'].map((name) => statSync(cli.path(name)));
  expect(after.map(({ ino }) => ino)).toEqual(before.map(({ ino }) => ino));
});

test('a service that is new is added, and the mode of the file stays', async () => {
  await compose();
  chmodSync(cli.path('mesh.yaml'), 0o664);
  cli.write('docker-compose.yml', `${SHOP}  cache: { image: redis }\n`);
  const { stdout } = await compose();
  expect(stdout).toContain('changed <dir>/mesh.yaml: added cache\n');
  expect(statSync(cli.path('mesh.yaml')).mode & 0o777).toBe(0o664);
});

test('a dry run writes nothing', async () => {
  const { code, stdout } = await compose('--dry-run');
  expect(code).toBe(0);
  expect(stdout).toContain('would write <dir>/mesh.yaml\n');
  expect(stdout).toContain('nothing was written (--dry-run)\n');
  expect(existsSync(cli.path('mesh.yaml'))).toBe(false);
});

test('another folder is mounted as the first file sees it', async () => {
  mkdirSync(cli.path('out'));
  await compose('--out', '<dir>/out');
  expect(read('out/docker-compose.mesh.yml')).toContain('"./out:/mesh:ro"');
  expect(existsSync(cli.path('mesh.yaml'))).toBe(false);
});

test('for programs it is JSON', async () => {
  const { stdout } = await compose('--json', '--subnets', '10.213.0.0/16');
  const json = JSON.parse(stdout) as Record<string, unknown>;
  expect(json).toMatchObject({
    project: 'shop',
    services: [{ compose: 'web', shape: 'fronted' }, { compose: 'db' }],
    leftOut: [{ compose: 'agent', reason: 'host network' }],
    written: ['<dir>/mesh.yaml', '<dir>/docker-compose.mesh.yml'],
    start: expect.arrayContaining(['docker', 'compose', 'up', '-d']),
  });
  expect(read('docker-compose.mesh.yml')).toMatch(/ipv4_address: 10\.213\./);
});

describe('nothing is written', () => {
  const isUntouched = (): void =>
    expect(existsSync(cli.path('docker-compose.mesh.yml'))).toBe(false);

  test('where mesh.yaml has a problem, which is shown with its place', async () => {
    cli.write('mesh.yaml', 'trustDomain: a.example\nmtls: stirct\nservices: {}\n');
    const { code, stderr } = await compose();
    expect(code).toBe(1);
    expect(stderr).toContain('<dir>/mesh.yaml:2:1 mtls: expected strict, permissive or disable');
    expect(stderr).toContain('  hint: mend it, or move it away: nothing was written; ');
    isUntouched();
  });

  test('where no service can be meshed', async () => {
    cli.write('docker-compose.yml', 'services: { a: { image: a, network_mode: host } }\n');
    const { code, stdout } = await compose();
    expect(code).toBe(1);
    expect(stdout).toContain('nothing was written: no service can be meshed\n');
    isUntouched();
  });

  test('where the compose file is wrong', async () => {
    cli.write('docker-compose.yml', 'services: [\n');
    const { code, stderr } = await compose();
    expect(code).toBe(1);
    expect(stderr).toContain('<dir>/docker-compose.yml:');
    isUntouched();
  });

  test('where one of the files is its own', async () => {
    await compose();
    const { code, stderr } = await compose('<dir>/docker-compose.mesh.yml');
    expect(code).toBe(2);
    expect(stderr).toContain(
      'expected your own compose files but got <dir>/docker-compose.mesh.yml',
    );
  });

  test.each(['10.0.0.0/30', 'x'])('for networks of %s', async (range) => {
    const { code, stderr } = await compose('--subnets', range);
    expect(code).toBe(2);
    expect(stderr).toContain('--subnets: expected an IPv4 network of 64 addresses or more');
    isUntouched();
  });
});

test('a mesh.yaml that the server could not read is said, with what to do', async () => {
  chmodSync(cli.dir, 0o700);
  const { code, stdout } = await compose();
  expect(code).toBe(0);
  expect(stdout).toContain(`can't read mesh.yaml: chmod o+rx <dir>\n`);
});
