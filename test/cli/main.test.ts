import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  type Ended,
  FREE_PORTS,
  PROGRAM,
  READY,
  startForTest,
  type TestProcess,
  toProgram,
} from '../harness/process.js';
import { Cli, MESH } from './cli.js';

// The built program as a process: exit codes, signals, a reader that goes away.

/** The command line in an environment that has nothing but a path. */
const start = (...argv: string[]): Promise<TestProcess> =>
  startForTest(toProgram(argv, { env: { PATH: process.env['PATH'] } }));

async function outcome(...argv: string[]): Promise<Omit<Ended, 'signal'>> {
  const { signal: _signal, ...rest } = await (await start(...argv)).ended;
  return rest;
}

function tempMesh(): string {
  const dir = mkdtempSync(join(tmpdir(), 'countersign-main-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(join(dir, 'mesh.yaml'), MESH);
  return join(dir, 'mesh.yaml');
}

describe('the program as a process', () => {
  test('output and exit code of a command', async () => {
    const mesh = tempMesh();
    expect(await outcome('check', mesh)).toEqual({
      code: 0,
      stdout: `${mesh}: 3 services, 3 ports; no problems\n`,
      stderr: '',
    });
    expect(await outcome('check', `${mesh}.none`)).toMatchObject({ code: 2, stdout: '' });
    expect(await outcome('status', '--server', '127.0.0.1:1')).toMatchObject({ code: 3 });
  });

  test.each(['SIGTERM', 'SIGINT'] as const)('serve ends by %s with 0', async (signal) => {
    const { child, ended, printed } = await start('serve', '--mesh', tempMesh(), ...FREE_PORTS);
    expect(await printed(READY)).toBe(true);
    child.signal(signal);
    const { code, stdout, stderr } = await ended;
    expect(code).toBe(0);
    expect(stdout).toMatch(/^created a new CA in .*\nready: xds .*\n$/);
    // Stopped at once it may have had nothing to say yet.
    const lines = stderr.split('\n').filter((line) => line !== '');
    for (const line of lines) expect(JSON.parse(line)).toBeTypeOf('object');
  });

  test('a long output arrives whole', async () => {
    const { code, stdout } = await outcome('render', tempMesh(), 'web', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout).resources.length).toBeGreaterThan(10);
  });

  test('a reader that goes away is no error', async () => {
    const { child, ended } = await start('render', tempMesh(), 'web');
    child.streams.stdout?.destroy();
    expect(await ended).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('what a command loads', () => {
  const IO = pathToFileURL(join(PROGRAM, '../../terminal/io.js')).href;
  /** CommonJS files of packages that were loaded for a command line, by package and path. */
  async function loadedBy(...argv: string[]): Promise<readonly string[]> {
    const code = `
      import { createRequire } from 'node:module';
      import { run } from ${JSON.stringify(pathToFileURL(join(PROGRAM, '../program.js')).href)};
      import { systemIo } from ${JSON.stringify(IO)};
      const quiet = { isTTY: false, write() {} };
      await run(${JSON.stringify(argv)}, { ...systemIo(), stdout: quiet, stderr: quiet });
      const files = Object.keys(createRequire(import.meta.url).cache);
      console.log(JSON.stringify(files.map((file) => file.split('/node_modules/').at(-1))));
    `;
    const { ended } = await startForTest({
      name: 'what is loaded',
      command: process.execPath,
      args: ['--input-type=module', '--eval', code],
    });
    const { stdout } = await ended;
    return JSON.parse(stdout);
  }

  test('check: no gRPC, no protobuf', async () => {
    const loaded = await loadedBy('check', tempMesh());
    expect(loaded).toContainEqual(expect.stringMatching(/^commander\//));
    expect(loaded.filter((file) => /^(@grpc|protobufjs)\//.test(file))).toEqual([]);
  });

  test('node-forge for cert --p12 alone, proto-loader for cert --xds alone', async () => {
    const cli = new Cli();
    await cli.prepareData();
    const cert = ['cert', 'web', '--out', cli.path('tls'), '--data', cli.path('data')];
    const mesh = tempMesh();
    const none = join(mesh, '../none.yaml');
    const lines = [
      ...[cert, ['cert', '--list', '--data', cli.path('data')], ['check', mesh]],
      ...[
        ['serve', '--mesh', none, ...FREE_PORTS],
        ['render', mesh, 'web'],
      ],
      ...[['ca', 'show', '--data', cli.path('data')], ['--version']],
    ];
    const of = (name: string) => (file: string) => file.startsWith(`${name}/`);
    const isRare = (file: string) => of('node-forge')(file) || of('@grpc/proto-loader')(file);
    const loaded = await Promise.all(lines.map((line) => loadedBy(...line)));
    expect(loaded.flat().filter(isRare)).toEqual([]);

    const withP12 = await loadedBy(...cert, '--p12', cli.path('tls/web.p12'));
    expect(withP12.filter(of('node-forge')).length).toBeGreaterThan(0);
    expect(withP12.filter(of('@grpc'))).toEqual([]);

    const { stdout } = await cli.run('ca', 'bundle', '--data', '<dir>/data');
    const [anchor, token] = [cli.write('anchor.pem', stdout), cli.write('token', 'x.y.z')];
    const xds = ['--xds', '127.0.0.1:1', '--xds-ca', anchor, '--token-file', token];
    const withXds = await loadedBy('cert', 'web', '--out', cli.path('other'), ...xds);
    expect(withXds.filter(of('@grpc/proto-loader')).length).toBeGreaterThan(0);
    expect(withXds.filter(of('node-forge'))).toEqual([]);
  });

  test('serve: gRPC, but no descriptor and no text of protos', async () => {
    const broken = join(tempMesh(), '../none.yaml');
    const loaded = await loadedBy('serve', '--mesh', broken, ...FREE_PORTS);
    expect(loaded).toContainEqual(expect.stringMatching(/^@grpc\/grpc-js\//));
    expect(
      loaded.filter((file) => /^(protobufjs\/src\/root\.js|@grpc\/proto|node-forge\/)/.test(file)),
    ).toEqual([]);
  });
});
