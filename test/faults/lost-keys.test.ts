// Files that others hold on to, lost: nothing is made in their place, by a start or by a command,
// until the operator says so by name.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startServer } from '../../src/server/index.js';
import type { ServerStatus } from '../../src/server/status/index.js';
import { hintOf } from '../../src/terminal/index.js';
import { recordingLogger } from '../fakes/recording-logger.js';
import { meshErrorOf } from '../x509/tools.js';
import { runHere } from './command.js';
import { newPlace, type Place, readAll, writeMesh } from './every-step.js';
import { useOnce } from './restart.js';

const FREE = { host: '127.0.0.1', port: 0 } as const;
type Anew = NonNullable<Parameters<typeof startServer>[0]['anew']>;

async function used(): Promise<Place> {
  const place = newPlace();
  writeMesh(place);
  await useOnce(place);
  return place;
}

function toOptions({ mesh, data }: Place) {
  const logger = recordingLogger();
  return { meshPath: mesh, dataPath: data, xds: FREE, admin: FREE, logger };
}

async function start(place: Place, anew: Anew = []) {
  const server = await startServer({ ...toOptions(place), anew });
  const { host, port } = server.adminAddress;
  const answer = await fetch(`http://${host}:${port}/v1/status`);
  const status = (await answer.json()) as ServerStatus;
  await server.close();
  return { created: server.authority.created, status };
}

const KEYS = [
  { file: 'authority.json', one: 'authority', flag: '--new-authority' },
  { file: 'token-keys.json', one: 'tokenKeys', flag: '--new-token-keys' },
  { file: 'xds-anchor.json', one: 'xdsAnchor', flag: '--new-xds-anchor' },
] as const;

const commands = ({ data, dir }: Place): readonly (readonly string[])[] => [
  ['token', 'web', '--data', data],
  ['bootstrap', 'web', '--address', '127.1.0.1', '--data', data],
  ['cert', 'web', '--out', join(dir, 'tls'), '--data', data],
  ['ca', 'bundle', '--xds', '--data', data],
  ['token', '--rotate-key', '--data', data],
];

describe.each(KEYS)('$file', ({ file, flag }) => {
  it.each(['with its manifest', 'as an earlier version left it'])(
    'is gone from a folder, %s: a start and every command refuse, and make none',
    async (how) => {
      const place = await used();
      const path = join(place.data, file);
      rmSync(path);
      if (how !== 'with its manifest') rmSync(join(place.data, 'data-manifest.json'));
      const before = readAll(place.data);
      const error = await meshErrorOf(() => start(place));
      expect([error.code, error.message]).toEqual([
        'data-lost',
        `expected ${path}, which belongs to this data folder, but it is gone`,
      ]);
      expect(hintOf(error)).toContain('`countersign restore`');
      expect(hintOf(error)).toContain(flag);
      expect(readAll(place.data)).toEqual(before);
      if (how !== 'with its manifest') return;
      for (const argv of commands(place)) {
        await runHere(...argv).catch((failed: unknown) => expect(String(failed)).toContain(file));
        expect(existsSync(path), argv.join(' ')).toBe(false);
      }
    },
  );
});

describe.each(KEYS)('$file, by $flag', ({ file, one }) => {
  it('is made anew by name, when it is gone or damaged', async () => {
    const place = await used();
    const path = join(place.data, file);
    const first = readFileSync(path, 'utf8');
    rmSync(path);
    expect((await start(place, [one])).created).toBe(one === 'authority');
    expect(readFileSync(path, 'utf8')).not.toBe(first);
    expect((await start(place)).status.warnings).toEqual([]);
    writeFileSync(path, first.slice(0, 90), { mode: 0o600 });
    expect((await meshErrorOf(() => start(place))).code).toBe('data-damaged');
    await start(place, [one]);
    const aside = readdirSync(place.data).filter((name) => name.startsWith(`${file}.damaged-`));
    expect(aside.map((name) => readFileSync(join(place.data, name), 'utf8'))).toEqual([
      first.slice(0, 90),
    ]);
    rmSync(path);
    expect((await meshErrorOf(() => start(place))).code).toBe('data-lost');
  });

  it('is whole: it is not made anew, whatever was said', async () => {
    const place = await used();
    const before = readFileSync(join(place.data, file));
    const error = await meshErrorOf(() => start(place, [one]));
    expect([error.code, hintOf(error)]).toEqual([
      'usage',
      expect.stringContaining('start without that option'),
    ]);
    expect(readFileSync(join(place.data, file))).toEqual(before);
  });
});

describe('a data folder', () => {
  it('whose start is refused is not written any more', async () => {
    const place = newPlace();
    writeMesh(place);
    mkdirSync(place.data, { mode: 0o700 });
    writeFileSync(join(place.data, 'token-keys.json'), '{', { mode: 0o600 });
    expect((await meshErrorOf(() => start(place))).code).toBe('data-damaged');
    const files = readdirSync(place.data).filter((name) => name !== 'lock');
    expect(files.sort()).toEqual(['.gitignore', 'authority.json', 'token-keys.json']);
  });

  it('that lacks several names all of them', async () => {
    const place = await used();
    for (const { file } of KEYS) rmSync(join(place.data, file));
    const { message } = await meshErrorOf(() => start(place));
    for (const { file } of KEYS) expect(message).toContain(join(place.data, file));
  });

  it('of an earlier version gets its manifest at its first start', async () => {
    const place = await used();
    rmSync(join(place.data, 'data-manifest.json'));
    expect((await start(place)).status.warnings).toEqual([]);
    const { files } = JSON.parse(readFileSync(join(place.data, 'data-manifest.json'), 'utf8'));
    expect(files).toEqual(expect.arrayContaining(KEYS.map(({ file }) => file)));
  });

  it('whose first start was killed between its keys is begun', async () => {
    const place = await used();
    for (const name of readdirSync(place.data)) {
      if (name !== 'token-keys.json') rmSync(join(place.data, name), { recursive: true });
    }
    expect((await start(place)).created).toBe(true);
  });

  it('that lost revocations and marks starts by name alone, with nobody shut out', async () => {
    const place = await used();
    await runHere('revoke', 'web', '--data', place.data, '--server', '127.0.0.1:9');
    await useOnce(place);
    rmSync(join(place.data, 'revocations'), { recursive: true });
    rmSync(join(place.data, 'revocation-marks.json'));
    const error = await meshErrorOf(() => start(place));
    expect(error.code).toBe('data-lost');
    expect(hintOf(error)).toContain('--forget-revocations');
    const { status } = await start(place, ['revocations']);
    expect(status.revocations).toEqual([]);
  });
});

describe('revoke beside a running server', () => {
  it.each([
    // Written again with the next revocation.
    ['revocation-marks.json', false],
    ['handed-out/4a01.json', true],
    ['revocations/0123456789abcdef0123456789abcdef.json', true],
  ])('is heard though %s is damaged; status names the file: %s', async (name, isNamed) => {
    const place = await used();
    const server = await startServer(toOptions(place));
    onTestFinished(() => server.close());
    const { host, port } = server.adminAddress;
    const at = ['--data', place.data, '--server', `${host}:${port}`];
    await runHere('cert', 'web', '--out', join(place.dir, 'tls'), '--data', place.data);
    await runHere('revoke', '--token', 'f00d', '--yes', ...at);
    writeFileSync(join(place.data, name), '', { mode: 0o600 });
    expect(await runHere('revoke', 'web', ...at)).toMatch(/^revoked: .*\nin force/);
    const text = await runHere('status', '--server', `${host}:${port}`);
    expect(text.includes(name)).toBe(isNamed);
  });
});
