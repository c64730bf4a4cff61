import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import { openDataDir } from '../../src/data/index.js';
import { createTokenKeys, openSidecarsFile } from '../../src/tokens/index.js';
import { seededRandom } from '../fakes/seeded-random.js';
import { Cli } from './cli.js';

const DATA = ['--data', '<dir>/data'] as const;
const ALONE = 'stored; no server runs on this data folder: it takes effect when one starts\n';
const HOUR_MS = 3_600_000;

let cli: Cli;
beforeEach(async () => {
  cli = new Cli();
  await cli.prepareData();
});

interface Listed {
  readonly keys: readonly { readonly id: string; readonly state: string }[];
}

async function list(): Promise<Listed> {
  const { stdout } = await cli.run('token', '--list-keys', '--json', ...DATA);
  return JSON.parse(stdout) as Listed;
}

async function verify(token: string): Promise<string> {
  const random = seededRandom('verify');
  const dataDir = await openDataDir({ path: cli.path('data'), lock: false, random });
  const keys = await createTokenKeys({ dataDir, clock: cli.clock, random });
  return keys.verify(token.trim(), { audience: 'countersign-xds' }).subject;
}

describe('token --rotate-key', () => {
  test('a new key signs; the old one is good until the overlap ends', async () => {
    const old = (await cli.run('token', 'web', ...DATA)).stdout;
    const before = (await list()).keys[0]?.id;
    const { code, stdout, stderr } = await cli.run('token', '--rotate-key', ...DATA);
    const [after] = (await list()).keys;
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout:
        `key ${after?.id} signs from now on\n` +
        `tokens of key ${before} are good until 2027-01-01T00:00:00.000Z\n`,
      stderr: `make new tokens with \`countersign token\`; open streams are not cut\n${ALONE}`,
    });
    expect(after?.id).not.toBe(before);
    expect(await verify(old)).toBe('web');
    expect(await verify((await cli.run('token', 'web', ...DATA)).stdout)).toBe('web');
  });

  test('--overlap says how long', async () => {
    const old = (await cli.run('token', 'web', ...DATA)).stdout;
    const { stdout } = await cli.run('token', '--rotate-key', '--overlap', '1h', ...DATA);
    expect(stdout).toContain('are good until 2026-01-01T01:00:00.000Z\n');
    cli.clock.advance(HOUR_MS);
    await expect(verify(old)).rejects.toThrow(/that key ended 2026-01-01T01:00:00.000Z/);
  });

  test('prints no key', async () => {
    const { stdout, stderr } = await cli.run('token', '--rotate-key', ...DATA);
    const listed = await cli.run('token', '--list-keys', ...DATA);
    expect(stdout + stderr + listed.stdout).not.toMatch(/PRIVATE|BEGIN/);
  });

  test('where there is no data folder nothing is made', async () => {
    const { code, stderr } = await cli.run('token', '--rotate-key', '--data', '<dir>/none');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: expected a data folder at <dir>\/none but there is none\n/);
  });
});

describe('token --list-keys', () => {
  test('before the first', async () => {
    expect(await cli.run('token', '--list-keys', ...DATA)).toEqual({
      code: 0,
      stdout: 'there is no token key yet\n',
      stderr: '',
    });
  });

  test('shows each key, its state and its end', async () => {
    await cli.run('token', 'web', ...DATA);
    await cli.run('token', '--rotate-key', '--overlap', '1h', ...DATA);
    const { keys } = await list();
    const [first, second] = keys.map(({ id }) => id);
    const { stdout } = await cli.run('token', '--list-keys', ...DATA);
    const blank = ' '.repeat(40);
    expect(stdout).toBe(
      `KEY${blank}  STATE      MADE                      VERIFIES UNTIL\n` +
        `${first}  signing    2026-01-01T00:00:00.000Z  -\n` +
        `${second}  verifying  2026-01-01T00:00:00.000Z  2026-01-01T01:00:00.000Z\n`,
    );
    expect(keys).toEqual([
      {
        id: first,
        state: 'signing',
        createdAt: '2026-01-01T00:00:00.000Z',
        verifyUntil: null,
      },
      {
        id: second,
        state: 'verifying',
        createdAt: '2026-01-01T00:00:00.000Z',
        verifyUntil: '2026-01-01T01:00:00.000Z',
      },
    ]);
  });
});

describe('token --retire-key', () => {
  test('ends an older key', async () => {
    const old = (await cli.run('token', 'web', ...DATA)).stdout;
    await cli.run('token', '--rotate-key', ...DATA);
    const id = (await list()).keys[1]?.id ?? '';
    expect(await cli.run('token', '--retire-key', id, ...DATA)).toEqual({
      code: 0,
      stdout: `key ${id} has ended: tokens that it signed are refused\n`,
      stderr:
        'warning: 1 token that nobody is known to have joined by is refused from ' +
        `2026-01-01T00:00:00.000Z on\n${ALONE}`,
    });
    await expect(verify(old)).rejects.toThrow(/that key ended/);
  });

  test('the signing key is refused', async () => {
    await cli.run('token', 'web', ...DATA);
    const id = (await list()).keys[0]?.id ?? '';
    expect(await cli.run('token', '--retire-key', id, ...DATA)).toEqual({
      code: 2,
      stdout: '',
      stderr:
        'error: expected the id of an older token key but got the one that signs\n' +
        '  hint: make a new key first: `countersign token --rotate-key`\n',
    });
  });
});

test.each<[string, readonly string[], string]>([
  [
    'two orders',
    ['--rotate-key', '--list-keys'],
    'expected one of a service, --admin, --rotate-key, --list-keys and --retire-key ' +
      'but got --rotate-key and --list-keys\n' +
      '  hint: countersign token payments/ledger',
  ],
  [
    '--overlap alone',
    ['web', '--overlap', '1h'],
    'expected --overlap with --rotate-key but got it without',
  ],
  [
    'a service that is no answer to --list-keys',
    ['shop/front', '--list-keys'],
    'expected one of a service, --admin, --rotate-key, --list-keys and --retire-key ' +
      'but got a service and --list-keys\n' +
      '  hint: the keys sign the tokens of all services: leave the service out',
  ],
  ['--json of a token', ['web', '--json'], 'expected --json with --list-keys but got it without'],
  [
    'an overlap that is none',
    ['--rotate-key', '--overlap', 'soon'],
    '--overlap: expected a duration from 0s to 36500d but got "soon"\n' +
      '  hint: a number and a unit: 90s, 15m, 24h, 30d',
  ],
])('token with %s is a wrong use', async (_name, argv, message) => {
  expect(await cli.run('token', ...argv, ...DATA)).toEqual({
    code: 2,
    stdout: '',
    stderr: `error: ${message}\n`,
  });
});

// A key whose tokens connected sidecars hold.
const NODES = ['web~10.0.0.1', 'web~10.0.0.2', 'web~10.0.0.3'];

/** What a server that runs has stored of its sidecars: three by a token of the first key. */
async function join(): Promise<{ keyId: string; tokenId: string }> {
  const { stderr } = await cli.run('token', 'web', ...DATA);
  const tokenId = /^token (\w+) for web/.exec(stderr)?.[1] ?? '';
  const keyId = (await list()).keys[0]?.id ?? '';
  const random = seededRandom('sidecars');
  const dataDir = await openDataDir({ path: cli.path('data'), lock: false, random });
  const expiresAtMs = cli.clock.now() + 8_760 * HOUR_MS;
  const sidecars = NODES.map((node, i) => ({
    ...{ node: node as `web~${string}`, service: 'web', address: node.slice(4) },
    token: { id: i === 0 ? tokenId : `0${i}`, keyId, expiresAtMs },
  }));
  await openSidecarsFile(dataDir).write({ sidecars });
  return { keyId, tokenId };
}

const WHO = 'web~10.0.0.1, web~10.0.0.2, web~10.0.0.3 joined by tokens that are refused from';

test('--rotate-key --overlap 2m names whom it locks out, and asks for --yes', async () => {
  await join();
  const before = await list();
  const rotate = ['token', '--rotate-key', '--overlap', '2m', ...DATA];
  expect(await cli.run(...rotate)).toEqual({
    code: 1,
    stdout: '',
    stderr:
      `error: expected --yes: ${WHO} 2026-01-01T00:02:00.000Z on\n` +
      '  hint: give a longer --overlap, and them new tokens within it; --yes goes on all the ' +
      'same\n',
  });
  expect(await list()).toEqual(before);
  const { code, stderr } = await cli.run(...rotate, '--yes');
  expect({ code, stderr }).toEqual({
    code: 0,
    stderr:
      `warning: ${WHO} 2026-01-01T00:02:00.000Z on: they can't join again without new ones\n` +
      `make new tokens with \`countersign token\`; open streams are not cut\n${ALONE}`,
  });
});

test('--retire-key names them too, and clients that got certificates by such a token', async () => {
  const { keyId, tokenId } = await join();
  await cli.run('cert', 'web', '--out', '<dir>/tls', ...DATA);
  const [file = ''] = readdirSync(cli.path('data/handed-out'));
  const path = cli.path(`data/handed-out/${file}`);
  const record = JSON.parse(readFileSync(path, 'utf8')) as object;
  const credential = { kind: 'token', id: tokenId };
  writeFileSync(path, JSON.stringify({ ...record, credential }));
  expect((await cli.run('token', '--rotate-key', ...DATA)).code).toBe(0);
  const { code, stderr } = await cli.run('token', '--retire-key', keyId, ...DATA);
  expect(code).toBe(1);
  expect(stderr).toContain(
    `error: expected --yes: a client of web (token ${tokenId}), web~10.0.0.1, web~10.0.0.2, ` +
      'web~10.0.0.3 joined by tokens that are refused from 2026-01-01T00:00:00.000Z on\n' +
      '  hint: give them new tokens first',
  );
  expect((await list()).keys.map(({ state }) => state)).toEqual(['signing', 'verifying']);
  expect((await cli.run('token', '--retire-key', keyId, '--yes', ...DATA)).code).toBe(0);
  expect((await list()).keys.map(({ state }) => state)).toEqual(['signing', 'ended']);
});

test('a long overlap asks nothing, and says whom it concerns', async () => {
  await join();
  const { code, stderr } = await cli.run('token', '--rotate-key', '--overlap', '30d', ...DATA);
  expect(code).toBe(0);
  expect(stderr).toContain(`warning: ${WHO} 2026-01-31T00:00:00.000Z on`);
});

test('by default each token ends before its key: nothing to say', async () => {
  await join();
  const { stderr } = await cli.run('token', '--rotate-key', ...DATA);
  expect(stderr).not.toContain('warning');
});

test('--yes alone is wrong use', async () => {
  const { code, stderr } = await cli.run('token', 'web', '--yes', ...DATA);
  expect(code).toBe(2);
  expect(stderr).toContain('expected --yes with --rotate-key or --retire-key');
});
