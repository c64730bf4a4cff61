import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { describeEnvoy, useHarness } from '../../harness/index.js';
import { answerCases } from './answers.js';
import { bodyCases } from './bodies.js';
import { type Case, WAYS } from './case.js';
import { withoutAdded } from './compare.js';
import { channelTests, headerTests, largeFieldTests } from './header-tests.js';
import { Http1Walk } from './http1-walk.js';
import { HTTP2_CASES } from './http2-cases.js';
import { Http2Walk } from './http2-walk.js';
import { type SharedMesh, startSharedMesh } from './mesh.js';
import { ownWordsOfCallsTests, ownWordsTests } from './own-words.js';
import { PathCalls, pathTests, spellingTests } from './paths.js';
import { requestCases } from './requests.js';
import { Unread, unreadTests } from './unread.js';

// Each request that a direct connection carries unchanged is carried unchanged through two
// sidecars, in plain text to the declared port, and with a mesh certificate there.

const ALL: readonly Case[] = [...requestCases, ...bodyCases, ...answerCases];
/** What is by chance comes last: its requests may arrive when the next case runs. */
const CASES: readonly Case[] = ALL.toSorted(
  (a, b) => Number(a.differs?.byChance ?? false) - Number(b.differs?.byChance ?? false),
);

test('there are at least 150 cases, each with a name of its own and a reason', () => {
  expect(CASES.length).toBeGreaterThanOrEqual(150);
  expect(new Set(CASES.map(({ name }) => name)).size).toBe(CASES.length);
  for (const { why } of [...CASES, ...HTTP2_CASES]) expect(why).not.toBe('');
});

test('docs/limits.md has a line for each difference', () => {
  const root = fileURLToPath(new URL('../../..', import.meta.url));
  const page = readFileSync(join(root, 'docs/limits.md'), 'utf8');
  const missing = CASES.flatMap(({ differs }) => differs?.limit ?? []).filter(
    (name) => !page.includes(`: ${name})`),
  );
  expect(missing).toEqual([]);
});

await describeEnvoy('transparency', {}, ({ binary }) => {
  const harness = useHarness('transparency');
  let shared: SharedMesh;
  let http1: Http1Walk;
  let http2: Http2Walk;
  let unread: Unread;
  let paths: PathCalls;

  beforeAll(async () => {
    shared = await startSharedMesh(harness, binary);
    http1 = await Http1Walk.start(shared, harness);
    http2 = await Http2Walk.start(shared, harness);
    unread = await Unread.start(shared, harness);
    paths = await PathCalls.start(shared, harness);
    await http1.walk(CASES);
    await http2.walk(HTTP2_CASES);
  }, 120_000);

  afterEach(() => unread.cut());

  describe.each(WAYS)('%s', (way) => {
    test.each(CASES)('$name', ({ name, differs }) => {
      const direct = http1.seen('direct', name);
      const wanted = differs?.becomes(direct, way) ?? direct;
      const got = withoutAdded(http1.seen(way, name), direct);
      expect(differs?.byChance === true ? { ...got, requests: [] } : got).toEqual(wanted);
    });

    test.each(HTTP2_CASES)('HTTP/2: $name', ({ name }) => {
      expect(http2.seen(way, name)).toEqual(http2.seen('direct', name));
    });

    headerTests(way, () => http1);
    ownWordsTests(way, () => http1);
    ownWordsOfCallsTests(way, () => http2);
    largeFieldTests(way, () => http1);
    channelTests(way, () => http2);
  });

  describe('streams that nobody reads', () => unreadTests(() => unread));
  describe('paths that rules look at', () => {
    pathTests(() => paths);
    spellingTests(() => paths);
  });
});
