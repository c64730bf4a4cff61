import { describe, expect, it } from 'vitest';
import { type Leaf, loadOrCreateAuthority } from '../../../src/ca/index.js';
import { loadOrCreateServerCredential } from '../../../src/ca/xds/index.js';
import type { MemberView } from '../../../src/server/fleet/index.js';
import type { Credential } from '../../../src/server/join/proof.js';
import { HorizonWatch } from '../../../src/server/status/index.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { recordingLogger } from '../../fakes/recording-logger.js';
import { seededRandom } from '../../fakes/seeded-random.js';
import { meshOf } from '../../policy/helpers.js';
import { temporaryDataDir, WEB } from '../../x509/tools.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const MESH = meshOf('trustDomain: shop.example\nservices: { web: {} }');

async function create() {
  const clock = new ManualClock();
  const logger = recordingLogger();
  const dataDir = await temporaryDataDir();
  const identity = { dataDir, clock, random: seededRandom('horizon') };
  const trustDomain = 'shop.example';
  const { authority } = await loadOrCreateAuthority({ ...identity, trustDomain });
  const credential = await loadOrCreateServerCredential(identity);
  const members: MemberView[] = [];
  const retired: { endMs: number | undefined } = { endMs: undefined };
  const watch = new HorizonWatch({
    ...{ authority, credential, clock, logger },
    members: () => members,
    mesh: () => MESH,
    keyEndMs: () => retired.endMs,
  });
  const issue = (): Promise<Leaf> =>
    authority.issueLeaf({ spiffeId: WEB, dnsNames: [], ttlMs: DAY, key: 'ecdsa-p256' });
  const join = (node: string, leaf: Leaf | undefined, credential: Credential): void => {
    const auth = { node, service: 'web', credential };
    const stream = { auth, connectedAtMs: clock.now() };
    members.push({ stream, leaf } as unknown as MemberView);
  };
  return { clock, logger, watch, members, issue, join, retired };
}

const token = (expiresAtMs: number): Credential => ({
  kind: 'token',
  id: 'id',
  keyId: 'key',
  expiresAtMs,
});

describe('the horizon of a server', () => {
  it('is gathered from leaves, chains, tokens and the xDS port', async () => {
    const { clock, watch, issue, join } = await create();
    const leaf = await issue();
    join('web~a', leaf, token(clock.now() + 20 * DAY));
    join('web~b', undefined, { kind: 'certificate', serialHex: '0a', notAfterMs: clock.now() + 1 });
    const { first, byKind, byNode } = watch.current();
    expect(first).toEqual({ atMs: leaf.notAfterMs, what: 'leaf', node: 'web~a' });
    expect([...byKind].map(([what, { atMs }]) => [what, (atMs - clock.now()) / DAY])).toEqual([
      ['root', 3650],
      ['issuer', 365],
      ['leaf', 1],
      ['token', 20],
      ['xds-certificate', 365],
      ['xds-anchor', 7300],
    ]);
    // What the second joined by is renewed by others: it isn't told of.
    expect(byNode.get('web~b')).toMatchObject({ what: 'xds-certificate' });
  });

  it('the key of a connected sidecar is retired: its token ends then, and is near', async () => {
    const { clock, watch, join, retired } = await create();
    join('web~a', undefined, token(clock.now() + 300 * DAY));
    expect(watch.current().warnings).toEqual([]);
    const endMs = clock.now() + 120_000;
    retired.endMs = endMs;
    const { byKind, warnings } = watch.current();
    expect(byKind.get('token')).toEqual({ atMs: endMs, what: 'token', node: 'web~a' });
    expect(warnings.map(({ text }) => text)).toEqual([
      'token of web~a ends 2026-01-01T00:02:00.000Z: unless its token file has a newer one, ' +
        'it could not join again: `countersign token`',
    ]);
    clock.advance(HOUR);
    expect(watch.current().warnings[0]?.text).toMatch(/^token of web~a ended 2026-01-01T00:02/);
  });

  it('nobody connected: the root and the xDS port', async () => {
    const { watch } = await create();
    expect(watch.current().first).toMatchObject({ what: 'xds-certificate' });
    expect([...watch.current().byKind.keys()]).toEqual(['root', 'xds-certificate', 'xds-anchor']);
  });
});

describe('its warnings in the log', () => {
  const told = (lines: readonly { fields: object; message: string }[]): unknown[] =>
    lines.map(({ fields }) => {
      const { what, proxies, nodes } = fields as Record<string, unknown>;
      return [what, proxies, nodes];
    });

  it('once on entering, when it comes to others, daily, and anew after it was far', async () => {
    const { clock, logger, watch, members, issue, join } = await create();
    const leaf = await issue();
    join('web~a', leaf, token(clock.now() + 300 * DAY));
    watch.start();
    clock.advance(17 * HOUR);
    expect(logger.lines).toEqual([]);
    // Due at half of its life, late a quarter of it later, and up to 10 % of jitter.
    clock.advance(2 * HOUR + HOUR);
    expect(told(logger.lines)).toEqual([['leaf', 1, ['web~a']]]);
    clock.advance(2 * HOUR);
    expect(logger.lines).toHaveLength(1);
    join('web~b', leaf, token(clock.now() + 300 * DAY));
    clock.advance(HOUR);
    expect(told(logger.lines.slice(1))).toEqual([['leaf', 2, ['web~a', 'web~b']]]);
    clock.advance(23 * HOUR);
    expect(logger.lines).toHaveLength(2);
    clock.advance(HOUR);
    expect(told(logger.lines.slice(2))).toEqual([['leaf', 2, ['web~a', 'web~b']]]);
    members.length = 0;
    join('web~a', await issue(), token(clock.now() + 300 * DAY));
    clock.advance(HOUR);
    expect(logger.lines).toHaveLength(3);
    clock.advance(20 * HOUR);
    expect(told(logger.lines.slice(3))).toEqual([['leaf', 1, ['web~a']]]);
    watch.stop();
    expect(clock.pending).toBe(1);
    const [line] = logger.lines;
    expect(line).toMatchObject({
      level: 'warn',
      message: 'an end is near that should be far',
      fields: {
        reason: expect.stringMatching(/^leaf of web~a ends .*: it should have been renewed/),
      },
    });
  });

  it('a machine that slept is noticed at the next look', async () => {
    const { clock, logger, watch } = await create();
    watch.start();
    clock.jump(19 * 365 * DAY + 280 * DAY);
    clock.advance(HOUR);
    expect(logger.lines.map(({ fields }) => (fields as { what: string }).what)).toEqual([
      'root',
      'xds-certificate',
      'xds-anchor',
    ]);
    watch.stop();
  });

  it('hundreds of proxies are one line, with five names', async () => {
    const { clock, logger, watch, issue, join } = await create();
    const leaf = await issue();
    for (let i = 0; i < 300; i++) join(`web~${i}`, leaf, token(clock.now() + 300 * DAY));
    clock.jump(23 * HOUR);
    watch.start();
    watch.stop();
    expect(logger.lines).toHaveLength(1);
    expect(told(logger.lines)).toMatchObject([['leaf', 300, { length: 5 }]]);
  });
});
