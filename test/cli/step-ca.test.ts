// A mesh whose CA is a step-ca: what `serve` says, and commands on the data folder, before a server
// that answers as step-ca does.
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { sha256Hex } from '../../src/x509/keys/index.js';
import { readCertificate, splitPem } from '../../src/x509/read/index.js';
import { startFakeStepCa, toAnswer } from '../ca/step-ca/step-ca-fake.js';
import { ca, NOW_MS, provisionerKeyPem } from '../ca/step-ca/step-ca-setup.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { Cli, MESH, type Transcript } from './cli.js';

const FREE = ['--xds', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--log-level', 'warn'] as const;
const DATA = ['--data', '<dir>/.countersign'] as const;

let cli: Cli;
let url: string;

beforeEach(async () => {
  cli = new Cli({ clock: new ManualClock(NOW_MS) });
  const handle = (request: Parameters<typeof toAnswer>[0]) =>
    toAnswer(request, { ca, nowMs: NOW_MS });
  ({ url } = await startFakeStepCa({ ca, provisionerKeyPem, nowMs: NOW_MS, handle }));
  cli.write('root_ca.crt', ca.root.pem);
  cli.write('provisioner.pem', provisionerKeyPem);
  cli.write(
    'mesh.yaml',
    `${MESH}
authority:
  stepCa: { url: "${url}", root: ./root_ca.crt, provisioner: countersign, key: ./provisioner.pem }
`,
  );
});

/** Starts the server and stops it when its mesh is in force. */
async function serveOnce(): Promise<Transcript> {
  const running = cli.start('serve', ...FREE, '--mesh', '<dir>/mesh.yaml');
  onTestFinished(() => running.stop());
  await running.until(({ stdout }) => stdout().includes('ready: '));
  const [, admin = ''] = /^ready: xds \S+, admin (\S+), /m.exec(running.stdout()) ?? [];
  await cli.run('wait', '--timeout', '10s', '--server', admin);
  running.stop();
  return running.done;
}

describe('serve', () => {
  test('says which CA signs; a key that others can read is warned about', async () => {
    const { code, stdout, stderr } = await serveOnce();
    expect(code).toBe(0);
    expect(stdout.split('\n')[0]).toBe(`using the CA at ${url}`);
    expect(stderr).toContain('<dir>/provisioner.pem can sign any identity of the mesh');
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  test('without the files that the mesh names does not start, and says which', async () => {
    cli.write('root_ca.crt', '');
    const { code, stdout, stderr } = await cli.run('serve', ...FREE, '--mesh', '<dir>/mesh.yaml');
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain('<dir>/root_ca.crt: expected certificates in PEM but got none');
  });
});

describe('after a first start', () => {
  beforeEach(async () => {
    await serveOnce();
  });

  test('ca bundle prints its roots', async () => {
    expect(await cli.run('ca', 'bundle', ...DATA)).toEqual({
      code: 0,
      stdout: ca.root.pem,
      stderr: '',
    });
  });

  test('ca show names it', async () => {
    const { code, stdout } = await cli.run('ca', 'show', ...DATA);
    expect(code).toBe(0);
    expect(stdout.split('\n').slice(0, 5)).toEqual([
      'trust domain shop.example',
      `signed by the step-ca at ${url}, provisioner countersign`,
      '',
      'root, which everybody in the mesh trusts',
      '  subject      O=Corp, CN=Corp Root',
    ]);
    const json = JSON.parse((await cli.run('ca', 'show', '--json', ...DATA)).stdout);
    expect(json).toMatchObject({
      trustDomain: 'shop.example',
      stepCa: { url, provisioner: 'countersign' },
      rootChange: null,
    });
    const rootDer = splitPem(ca.root.pem)[0] ?? Buffer.alloc(0);
    expect(json.authorities[0].fingerprintSha256).toBe(sha256Hex(rootDer));
  });

  test('cert has it sign, from whatever folder it is called in', async () => {
    const { code, stdout, stderr } = await cli.run('cert', 'web', '--out', '<dir>/tls', ...DATA);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain('spiffe://shop.example/ns/default/sa/web serial 5a0b0c0d');
    const read = (name: string): string => readFileSync(cli.path(`tls/${name}`), 'utf8');
    const [leaf] = splitPem(read('cert.pem')).map(readCertificate);
    expect(leaf?.uris).toEqual(['spiffe://shop.example/ns/default/sa/web']);
    expect(leaf?.x509.verify(new X509Certificate(ca.intermediate.pem).publicKey)).toBe(true);
    expect(read('bundle.pem')).toBe(ca.root.pem);
    expect((await cli.run('cert', '--list', ...DATA)).stdout).toContain('5a0b0c0d');
  });

  test('ca rotate and ca import say that the root is not theirs to change', async () => {
    cli.write('root.key', ca.root.keys.privateKeyPem);
    const files = ['--cert', '<dir>/root_ca.crt', '--key', '<dir>/root.key'];
    const commands = [
      ['ca', 'rotate', ...DATA],
      ['ca', 'import', ...files, '--mesh', '<dir>/mesh.yaml', ...DATA],
    ];
    for (const command of commands) {
      expect(await cli.run(...command)).toEqual({
        code: 1,
        stdout: '',
        stderr:
          `error: expected the server's own CA but the mesh's is the step-ca at ${url}\n` +
          '  hint: change the root at that CA; ' +
          'the file of authority.stepCa.root may hold old and new\n',
      });
    }
  });
});
