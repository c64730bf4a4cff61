// kill -9 at each step of the commands that change what a server has in force: token-key rotation,
// revocation, a CA that is brought, a change of root. Afterwards the change has been made or has
// not, a server starts, and the command can be given again.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/index.js';
import { splitPem } from '../../src/x509/read/index.js';
import { createCaChain } from '../x509/issuers.js';
import { runHere } from './command.js';
import { type EveryStep, everyStep, type Place, type Step } from './every-step.js';
import { identityOf, restart, verifyToken } from './restart.js';
import { expectWhole, used } from './used.js';

const TIMEOUT_MS = 300_000;
/** No server answers there. */
const NOBODY = ['--server', '127.0.0.1:9'] as const;

const tokenFile = ({ dir }: Place): string => join(dir, 'old.token');

async function usedWithToken(place: Place): Promise<void> {
  await used(place);
  writeFileSync(tokenFile(place), await runHere('token', 'web', '--data', place.data));
}

async function revokedSubjects({ data }: Place): Promise<readonly string[]> {
  const text = await runHere('revoke', '--list', '--json', '--data', data);
  const { revocations } = JSON.parse(text) as { revocations: readonly { subject: string }[] };
  return revocations.map(({ subject }) => subject);
}

const revokeWeb = ({ data }: Place): readonly string[] => [
  ...['revoke', 'web', '--data', data],
  ...NOBODY,
];
const undoWeb = (place: Place): readonly string[] => [...revokeWeb(place), '--undo'];

/** The files of a CA that somebody brings, beside the data folder. */
async function writeCa({ dir }: Place): Promise<void> {
  const { root } = await createCaChain('ecdsa-p256', systemClock.now());
  writeFileSync(join(dir, 'root.pem'), root.pem);
  writeFileSync(join(dir, 'root.key'), root.privateKeyPem);
}

const importCa = ({ dir, data, mesh }: Place): readonly string[] => [
  ...['ca', 'import', '--cert', join(dir, 'root.pem'), '--key', join(dir, 'root.key')],
  ...['--mesh', mesh, '--data', data],
];

/** A client without a sidecar holds a certificate: as long as that is good, its root stays. */
async function withPeer(place: Place): Promise<void> {
  await used(place);
  await writeCa(place);
  await runHere('cert', 'web', '--out', join(place.dir, 'tls'), '--data', place.data);
  writeFileSync(join(place.dir, 'before'), (await identityOf(place)).roots);
}

/**
 * As before, or with a second root, which `signs` or is only trusted; never without the one that
 * the peer has.
 */
async function expectRootKept({ place, ended }: Step, signs: 'old' | 'new'): Promise<void> {
  const before = readFileSync(join(place.dir, 'before'), 'utf8');
  expect((await identityOf(place)).roots).toBe(before);
  const { created, problems } = await restart(place);
  expect({ created, problems }).toEqual({ created: false, problems: [] });
  const { roots, change } = await identityOf(place);
  // Once it was said, it is so.
  if (ended.stdout !== '') expect(change).toBeDefined();
  if (change === undefined) expect(roots).toBe(before);
  else {
    expect(splitPem(roots)).toHaveLength(2);
    // The one that signs stands first.
    expect(signs === 'old' ? roots.startsWith(before) : roots.endsWith(before)).toBe(true);
  }
}

interface Row extends EveryStep {
  readonly name: string;
}

const ROWS: readonly Row[] = [
  {
    name: 'token --rotate-key',
    kind: 'kill',
    prepare: usedWithToken,
    argv: ({ data }) => ['token', '--rotate-key', '--data', data],
    atLeast: 6,
    async check(step) {
      const { place, ended } = step;
      expectWhole(step);
      const list = await runHere('token', '--list-keys', '--json', '--data', place.data);
      const { keys } = JSON.parse(list) as { keys: readonly { state: string }[] };
      const states = keys.map(({ state }) => state);
      // Once it was said, it is so.
      if (ended.stdout !== '') expect(states).toEqual(['signing', 'verifying']);
      expect([['signing'], ['signing', 'verifying']]).toContainEqual(states);
      expect(await verifyToken(place, readFileSync(tokenFile(place), 'utf8').trim())).toBe('web');
      await runHere('token', '--rotate-key', '--data', place.data);
      const next = await runHere('token', 'web', '--data', place.data);
      expect(await verifyToken(place, next.trim())).toBe('web');
      expect(await verifyToken(place, readFileSync(tokenFile(place), 'utf8').trim())).toBe('web');
    },
  },
  {
    name: 'revoke',
    kind: 'kill',
    prepare: used,
    argv: revokeWeb,
    atLeast: 6,
    async check(step) {
      const { place, ended } = step;
      expectWhole(step);
      const subjects = await revokedSubjects(place);
      if (ended.stdout !== '') expect(subjects).toEqual(['web']);
      expect([[], ['web']]).toContainEqual(subjects);
      expect((await restart(place)).problems).toEqual([]);
      expect(await revokedSubjects(place)).toEqual(subjects);
      await runHere(...revokeWeb(place));
      expect(await revokedSubjects(place)).toEqual(['web']);
    },
  },
  {
    name: 'revoke --undo',
    kind: 'kill',
    async prepare(place) {
      await used(place);
      await runHere(...revokeWeb(place));
    },
    argv: undoWeb,
    atLeast: 1,
    async check(step) {
      const { place, ended } = step;
      expectWhole(step);
      const subjects = await revokedSubjects(place);
      if (ended.stdout !== '') expect(subjects).toEqual([]);
      expect([[], ['web']]).toContainEqual(subjects);
      expect((await restart(place)).problems).toEqual([]);
      expect(await revokedSubjects(place)).toEqual(subjects);
    },
  },
  {
    name: 'ca import, before the first start',
    kind: 'kill',
    prepare: writeCa,
    argv: importCa,
    atLeast: 6,
    async check(step) {
      const { place, ended, left } = step;
      expectWhole(step);
      const brought = readFileSync(join(place.dir, 'root.pem'), 'utf8');
      const isThere = left.has('authority.json');
      if (ended.stdout !== '') expect(isThere).toBe(true);
      if (isThere) expect((await identityOf(place)).roots).toBe(brought);
      else await runHere(...importCa(place));
      const { created, problems } = await restart(place);
      expect({ created, problems }).toEqual({ created: false, problems: [] });
      expect((await identityOf(place)).roots).toBe(brought);
    },
  },
  ...(['ca import', 'ca rotate', 'ca prepare'] as const).map(
    (name): Row => ({
      name: `${name}, in a folder in use`,
      kind: 'kill',
      prepare: withPeer,
      argv: (place) =>
        name === 'ca import' ? importCa(place) : [...name.split(' '), '--data', place.data],
      atLeast: 5,
      async check(step) {
        expectWhole(step);
        await expectRootKept(step, name === 'ca prepare' ? 'old' : 'new');
      },
    }),
  ),
];

describe('killed at any step of a change', () => {
  it.each(ROWS)('$name', { timeout: TIMEOUT_MS }, async (row) => {
    await everyStep(row);
  });
});
