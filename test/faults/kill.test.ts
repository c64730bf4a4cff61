// kill -9 at each step that changes a file: the state afterwards is the one before or the one
// after, never between; and what somebody has seen (a ready line, a bootstrap, a token) stays true.
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { READY } from '../harness/process.js';
import { runHere, runServer } from './command.js';
import { type EveryStep, everyStep, type Place, readAll, type Step } from './every-step.js';
import { anchorOf, identityOf, restart, verifyToken } from './restart.js';
import { expectWhole, serve, used } from './used.js';

const TIMEOUT_MS = 300_000;
/** What others hold on to: it must never be replaced by another. */
const IDENTITIES = ['authority.json', 'token-keys.json', 'xds-anchor.json'] as const;

const argvOfBootstrap = ({ data, dir }: Place): readonly string[] => [
  ...[
    'bootstrap',
    'web',
    '--address',
    '127.1.0.1',
    '--data',
    data,
    '--token-file',
    join(dir, 'web.token'),
  ],
];

/** What others hold on to is as the killed process left it. */
function expectKept({ place, left }: Step): void {
  const now = readAll(place.data);
  for (const name of IDENTITIES) {
    const before = left.get(name);
    if (before !== undefined) expect(now.get(name)).toEqual(before);
  }
}

/** A start afterwards goes through, and keeps what was there. */
async function expectRestart(step: Step): Promise<void> {
  expectWhole(step);
  expect((await restart(step.place)).problems).toEqual([]);
  expectKept(step);
}

/** The anchor that a printed bootstrap pins. */
function pinnedAnchor(bootstrap: string): string {
  const [cluster] = JSON.parse(bootstrap).static_resources.clusters;
  const { common_tls_context: tls } = cluster.transport_socket.typed_config;
  return tls.validation_context.trusted_ca.inline_string;
}

interface Row extends EveryStep {
  readonly name: string;
}

/** What makes a data folder, or something of it. */
const ROWS: readonly Row[] = [
  {
    name: 'serve, first start',
    kind: 'kill',
    prepare: () => undefined,
    argv: serve,
    run: runServer,
    stride: 3,
    atLeast: 40,
    async check(step) {
      const { place, ended, left } = step;
      // Once others can have seen it, it is on the disk.
      if (READY.test(ended.stdout))
        expect([...left.keys()]).toEqual(expect.arrayContaining([...IDENTITIES]));
      await expectRestart(step);
      const made = await identityOf(place);
      expect((await restart(place)).created).toBe(false);
      expect(await identityOf(place)).toEqual(made);
    },
  },
  {
    name: 'serve, a later start',
    kind: 'kill',
    prepare: used,
    argv: serve,
    run: runServer,
    atLeast: 5,
    async check(step) {
      expect([...step.left.keys()]).toEqual(expect.arrayContaining([...IDENTITIES]));
      await expectRestart(step);
    },
  },
  {
    name: 'token',
    kind: 'kill',
    prepare: used,
    argv: ({ data }) => ['token', 'web', '--data', data],
    atLeast: 2,
    async check(step) {
      const { place, ended } = step;
      expectWhole(step);
      if (ended.stdout !== '') expect(await verifyToken(place, ended.stdout.trim())).toBe('web');
      const again = await runHere('token', 'web', '--data', place.data);
      expect(await verifyToken(place, again.trim())).toBe('web');
      expectKept(step);
    },
  },
  {
    name: 'bootstrap',
    kind: 'kill',
    prepare: used,
    argv: argvOfBootstrap,
    atLeast: 4,
    async check(step) {
      const { place, ended } = step;
      expectWhole(step);
      const anchor = await anchorOf(place);
      if (ended.stdout !== '') expect(pinnedAnchor(ended.stdout)).toBe(anchor);
      const tokenFile = join(place.dir, 'web.token');
      if (existsSync(tokenFile)) {
        expect(await verifyToken(place, readFileSync(tokenFile, 'utf8').trim())).toBe('web');
      }
      const again = await runHere(...argvOfBootstrap(place));
      expect(pinnedAnchor(again)).toBe(anchor);
      expectKept(step);
    },
  },
  {
    name: 'cert',
    kind: 'kill',
    prepare: used,
    argv: ({ data, dir }) => ['cert', 'web', '--out', join(dir, 'tls'), '--data', data],
    stride: 2,
    atLeast: 15,
    async check(step) {
      const { place } = step;
      const { serials } = await identityOf(place);
      expect(serials.length).toBeLessThanOrEqual(1);
      const file = join(place.dir, 'tls', 'cert.pem');
      if (existsSync(file)) {
        // What somebody holds is known, and its key is beside it.
        const certificate = new X509Certificate(readFileSync(file));
        expect(serials).toEqual([certificate.serialNumber.toLowerCase()]);
        const keyFile = join(place.dir, 'tls', 'key.pem');
        const options = ['pkey', '-in', keyFile, '-pubout'];
        expect(execFileSync('openssl', options).toString()).toBe(
          certificate.publicKey.export({ type: 'spki', format: 'pem' }),
        );
      }
      expectWhole(step);
      expectKept(step);
    },
  },
  // Of commands that change what is there: kill-change.test.ts.
];

describe('killed at any step', () => {
  beforeAll(() => expect(ROWS.length).toBeGreaterThan(0));

  it.each(ROWS)('$name', { timeout: TIMEOUT_MS }, async (row) => {
    await everyStep(row);
  });
});
