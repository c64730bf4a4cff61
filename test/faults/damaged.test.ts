// Every file that a used data folder holds, damaged in every way: a start names it and changes
// nothing, or, where it can be had again, goes on without it.
import { createHash } from 'node:crypto';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MeshError, systemClock, systemRandom } from '../../src/base/index.js';
import { loadOrCreateAuthority } from '../../src/ca/index.js';
import { openDataDir } from '../../src/data/index.js';
import { LeafManager } from '../../src/leaves/index.js';
import { parseSpiffeId } from '../../src/spiffe/index.js';
import { runHere } from './command.js';
import { newPlace, type Place, readAll, writeMesh } from './every-step.js';
import { restart, useOnce } from './restart.js';

const WEB = parseSpiffeId('spiffe://shop.example/ns/default/sa/web');
const SETTINGS = {
  spiffeId: WEB,
  dnsNames: ['web'],
  ttlMs: 3_600_000,
  renewAt: 0.5,
  key: 'ecdsa-p256',
} as const;
const REGISTRY = JSON.stringify([]);
const REFUSED = 'named, untouched';
const STARTS = 'starts, untouched';
/** What a start makes of each file, whatever the damage; a folder stands for its files. */
const EXPECTED: Readonly<Record<string, string>> = {
  'authority.json': REFUSED,
  'bundles-handed-out.json': STARTS,
  'clock.json': 'starts and says so, changed',
  // A list of revoked serials needs to know them.
  'handed-out': REFUSED,
  // Commands alone read it.
  'issued-tokens': STARTS,
  leaves: 'starts and says so, untouched',
  'mesh.json': REFUSED,
  // Looked at when the server runs: set aside and answered, see test/data/orders.
  orders: STARTS,
  'outbound-indexes.json': REFUSED,
  'registry.json': REFUSED,
  revocations: REFUSED,
  'rollout.json': REFUSED,
  // For people alone, like the clock's: set aside, and begun anew.
  'sidecars.json': 'starts and says so, changed',
  'token-keys.json': REFUSED,
  'xds-anchor.json': REFUSED,
  'xds-server.json': REFUSED,
};

const DAMAGES: Readonly<Record<string, (content: Buffer, other: Buffer) => Buffer>> = {
  'cut in half': (content) => content.subarray(0, Math.floor(content.length / 2)),
  empty: () => Buffer.alloc(0),
  'random bytes': (content) =>
    Buffer.concat([createHash('sha256').update(content).digest(), Buffer.from([0, 255, 254])]),
  "another file's content": (_content, other) => other,
  'another form': () => Buffer.from('[1]\n'),
};

/** A folder with all that server and commands come to write. */
async function fill(place: Place): Promise<void> {
  writeMesh(place);
  await useOnce(place);
  await runHere('token', 'web', '--data', place.data);
  await runHere('bootstrap', 'web', '--address', '127.1.0.1', '--data', place.data);
  const dataDir = await openDataDir({ path: place.data, lock: false });
  const options = { dataDir, clock: systemClock, random: systemRandom };
  const { authority } = await loadOrCreateAuthority({ ...options, trustDomain: 'shop.example' });
  const leaves = new LeafManager({ ...options, authority, onProblem: () => undefined });
  await leaves.ensure('web~a', SETTINGS);
  await leaves.close();
  await runHere('cert', 'web', '--out', join(place.dir, 'tls'), '--data', place.data);
  await runHere('ca', 'bundle', '--data', place.data);
  await runHere('revoke', 'web', '--data', place.data, '--server', '127.0.0.1:9');
  // It leaves an order; no server answers.
  const renewal = runHere('cert', 'web', '--renew', '--data', place.data);
  await expect(renewal).rejects.toThrow('exit 3');
  // What a sidecar that connects leaves.
  await dataDir.write('registry.json', REGISTRY);
  const clock = { version: 1, latestMs: systemClock.now() };
  await dataDir.write('clock.json', JSON.stringify(clock));
  await dataDir.write('sidecars.json', JSON.stringify({ version: 1, sidecars: [] }));
}

/** What a start says of the folder with one file changed. */
async function outcome(place: Place, file: string): Promise<string> {
  const before = readFileSync(join(place.data, file));
  const told = await restart(place).then(
    ({ problems }) => {
      const text = JSON.stringify(problems);
      if (problems.length === 0) return 'starts';
      return text.includes(file) ? 'starts and says so' : `starts: ${text}`;
    },
    (error: unknown) => {
      if (!(error instanceof MeshError)) return `throws ${String(error)}`;
      const { code, message, hint } = error;
      const isClear = message.includes(join(place.data, file)) && hint !== undefined;
      return code === 'data-damaged' && isClear ? 'named' : `${code}: ${message} (${hint})`;
    },
  );
  const isSame = readAll(place.data).get(file)?.equals(before) === true;
  return `${told}, ${isSame ? 'untouched' : 'changed'}`;
}

describe('a damaged data folder', () => {
  it('is named by a start, file by file, and left as it is', { timeout: 120_000 }, async () => {
    const place = newPlace();
    const made = join(place.dir, 'made');
    await fill(place);
    cpSync(place.data, made, { recursive: true });
    const files = [...readAll(made).keys()].sort();
    // A file that is new here needs its line in EXPECTED.
    const kinds = [...new Set(files.map((file) => file.split('/')[0] ?? ''))];
    expect(kinds).toEqual(Object.keys(EXPECTED));
    const found: Record<string, unknown> = {};
    const expected: Record<string, unknown> = {};
    for (const [i, file] of files.entries()) {
      const content = readFileSync(join(made, file));
      const other = readFileSync(join(made, files[(i + 1) % files.length] ?? ''));
      for (const [name, damage] of Object.entries(DAMAGES)) {
        rmSync(place.data, { recursive: true });
        cpSync(made, place.data, { recursive: true });
        writeFileSync(join(place.data, file), damage(content, other));
        found[`${file}, ${name}`] = await outcome(place, file);
        expected[`${file}, ${name}`] = EXPECTED[file.split('/')[0] ?? ''];
      }
    }
    expect(found).toEqual(expected);
  });

  it.each(Object.entries(DAMAGES))(
    'a leaf, %s: set aside, and made anew',
    async (_name, damage) => {
      const place = newPlace();
      await fill(place);
      const [file = ''] = [...readAll(place.data).keys()].filter((name) =>
        name.startsWith('leaves/'),
      );
      const path = join(place.data, file);
      const damaged = damage(readFileSync(path), readFileSync(join(place.data, 'token-keys.json')));
      writeFileSync(path, damaged);
      const dataDir = await openDataDir({ path: place.data, lock: false });
      const options = { dataDir, clock: systemClock, random: systemRandom };
      const { authority } = await loadOrCreateAuthority({
        ...options,
        trustDomain: 'shop.example',
      });
      const problems: unknown[] = [];
      const leaves = new LeafManager({
        ...options,
        authority,
        onProblem: ({ error }) => problems.push(error),
      });
      const leaf = await leaves.ensure('web~a', SETTINGS);
      await leaves.close();
      expect(authority.vouchesFor(leaf.chainPem)).toBe(true);
      expect(problems).toEqual([expect.objectContaining({ code: 'data-damaged' })]);
      const aside = [...readAll(place.data)].filter(([name]) =>
        name.startsWith(`${file}.damaged-`),
      );
      expect(aside.map(([, content]) => content)).toEqual([damaged]);
    },
  );
});
