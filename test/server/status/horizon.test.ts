import { describe, expect, it } from 'vitest';
import {
  HORIZON_KINDS,
  type HorizonInput,
  type NodeEnds,
  toHorizon,
} from '../../../src/server/status/horizon.js';
import {
  toHorizonFamilies,
  toHorizonStatus,
  toProxyHorizon,
  toWarningStatus,
} from '../../../src/server/status/horizon-report.js';
import { toExposition } from '../../../src/server/status/prometheus.js';
import type { Period } from '../../../src/x509/read/index.js';

const NOW = Date.UTC(2026, 0, 1);
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

/** In units of `unit` from now. */
const period = (begins: number, ends: number, unit = DAY): Period => ({
  beginsAtMs: NOW + begins * unit,
  endsAtMs: NOW + ends * unit,
});
const leafOf = (begins: number, ends: number, renewAt = 0.5): NodeEnds['leaf'] => {
  const { beginsAtMs, endsAtMs } = period(begins, ends, HOUR);
  return { beginsAtMs, endsAtMs, renewAtMs: beginsAtMs + (endsAtMs - beginsAtMs) * renewAt };
};
const WEB: NodeEnds = {
  node: 'web~a',
  leaf: leafOf(-1, 23),
  issuer: period(-100, 265),
  root: period(-100, 3550),
  token: period(-1, 300),
};
const INPUT: HorizonInput = {
  nowMs: NOW,
  nodes: [WEB],
  anchors: [period(-100, 3550)],
  xdsCertificate: period(-1, 364),
  xdsAnchor: period(-100, 7200),
  crl: undefined,
};
const input = (web: Partial<NodeEnds>, rest: Partial<HorizonInput> = {}): HorizonInput => ({
  ...INPUT,
  nodes: [{ ...WEB, ...web }],
  ...rest,
});
const at = (ms: number): number => (ms - NOW) / HOUR;

describe('what fails first', () => {
  it.each<[string, HorizonInput, string, number, string | undefined]>([
    ['a leaf', INPUT, 'leaf', 23, 'web~a'],
    [
      'an issuer, which cut the leaf',
      input({ issuer: period(-300, 23, HOUR) }),
      'issuer',
      23,
      undefined,
    ],
    [
      'a root, which cut both',
      input({ issuer: period(-300, 23, HOUR), root: period(-300, 23, HOUR) }),
      'root',
      23,
      undefined,
    ],
    [
      'an issuer that ends before the leaf',
      input({ issuer: period(-300, 5, HOUR) }),
      'issuer',
      5,
      undefined,
    ],
    ['a token', input({ token: period(-1, 2, HOUR) }), 'token', 2, 'web~a'],
    ['a revocation list', input({}, { crl: period(-1, 3, HOUR) }), 'crl', 3, undefined],
    [
      'the xDS certificate',
      input({}, { xdsCertificate: period(-1, 4, HOUR) }),
      'xds-certificate',
      4,
      undefined,
    ],
    ['the xDS anchor', input({}, { xdsAnchor: period(-1, 4, HOUR) }), 'xds-anchor', 4, undefined],
    ['a leaf that has ended', input({ leaf: leafOf(-25, -1) }), 'leaf', -1, 'web~a'],
    [
      'not a token that has ended: open streams live on',
      input({ token: period(-9, -1, HOUR) }),
      'leaf',
      23,
      'web~a',
    ],
    [
      'no certificate yet',
      input({ leaf: undefined, issuer: undefined, root: undefined }),
      'token',
      300 * 24,
      'web~a',
    ],
    [
      'a root, where nobody is connected',
      { ...INPUT, nodes: [], anchors: [period(-1, 9), period(-1, 8)] },
      'root',
      8 * 24,
      undefined,
    ],
    [
      'not an anchor that no leaf needs',
      { ...INPUT, anchors: [period(-9, 1, HOUR)] },
      'leaf',
      23,
      'web~a',
    ],
  ])('%s', (_name, given, what, hours, node) => {
    const { first } = toHorizon(given);
    expect(first).toBeDefined();
    expect({ ...first, atMs: at(first?.atMs ?? 0) }).toEqual({
      what,
      atMs: hours,
      ...(node === undefined ? {} : { node }),
    });
  });

  it('of each node, and of each kind', () => {
    const second: NodeEnds = {
      ...WEB,
      node: 'web~b',
      leaf: leafOf(0, 24),
      token: period(0, 5, HOUR),
    };
    const { byNode, byKind } = toHorizon({ ...INPUT, nodes: [WEB, second] });
    const shown = [...byNode].map(([node, end]) => [node, end.what, at(end.atMs)]);
    expect(shown).toEqual([
      ['web~a', 'leaf', 23],
      ['web~b', 'token', 5],
    ]);
    expect([...byKind].map(([, { what, atMs, node }]) => [what, at(atMs), node])).toEqual([
      ['root', 3550 * 24, undefined],
      ['issuer', 265 * 24, undefined],
      ['leaf', 23, 'web~a'],
      ['token', 5, 'web~b'],
      ['xds-certificate', 364 * 24, undefined],
      ['xds-anchor', 7200 * 24, undefined],
    ]);
  });

  it('of 10,000 nodes within a fifth of a second', () => {
    const nodes = Array.from({ length: 10_000 }, (_, i) => ({ ...WEB, node: `web~${i}` }));
    const { byNode } = toHorizon({ ...INPUT, nodes });
    const before = process.cpuUsage();
    toHorizon({ ...INPUT, nodes });
    expect(byNode.size).toBe(10_000);
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(200);
  });
});

describe('warnings: near where it should be far', () => {
  const near = (given: HorizonInput): readonly string[] =>
    toHorizon(given).warnings.map(({ what }) => what);

  it.each<[string, HorizonInput, boolean]>([
    ['a leaf before it is due', input({ leaf: leafOf(-11, 13) }), false],
    ['a leaf that is a little late', input({ leaf: leafOf(-17, 7) }), false],
    ['a leaf late by a quarter of its life', input({ leaf: leafOf(-18, 6) }), true],
    ['a leaf due at 90 %, half-way to its end', input({ leaf: leafOf(-23, 1, 0.9) }), true],
    ['a leaf due at 90 %, before that', input({ leaf: leafOf(-22, 2, 0.9) }), false],
    ['a leaf that has ended', input({ leaf: leafOf(-25, -1) }), true],
    ['an issuer with 31 days', input({ issuer: period(-334, 31) }), false],
    ['an issuer with 30 days', input({ issuer: period(-335, 30) }), true],
    ['an issuer of 9 days with more than a third left', input({ issuer: period(-5, 4) }), false],
    ['an issuer of 9 days with a third left', input({ issuer: period(-6, 3) }), true],
    [
      'an issuer that is replaced at half its life, with leaves of 90 days',
      input({ leaf: leafOf(-44 * 24, 46 * 24), issuer: period(-227, 138) }),
      false,
    ],
    ['a root with 31 days', input({ root: period(-3619, 31) }), false],
    ['a root with 30 days', input({ root: period(-3620, 30) }), true],
    [
      'a root with less than two of the longest leaves',
      input({ leaf: leafOf(-1, 90 * 24 - 1), root: period(-3470, 179) }),
      true,
    ],
    [
      'a root with more than two of the longest leaves',
      input({ leaf: leafOf(-1, 90 * 24 - 1), root: period(-3470, 181) }),
      false,
    ],
    ['a token with 15 days', input({ token: period(-350, 15) }), false],
    ['a token with 14 days', input({ token: period(-351, 14) }), true],
    ['a token of an hour, joined by just now', input({ token: period(0, 1, HOUR) }), false],
    ['a token of an hour, half used up', input({ token: period(-1, 1, HOUR) }), true],
    ['a token that has ended', input({ token: period(-9, -1) }), true],
    ['an xDS certificate with 91 days', input({}, { xdsCertificate: period(-274, 91) }), false],
    ['an xDS certificate with 90 days', input({}, { xdsCertificate: period(-275, 90) }), true],
    ['an xDS anchor with 91 days', input({}, { xdsAnchor: period(-7200, 91) }), false],
    ['an xDS anchor with 90 days', input({}, { xdsAnchor: period(-7200, 90) }), true],
    ['a list with more than a quarter left', input({}, { crl: period(-2, 2) }), false],
    ['a list with a quarter left', input({}, { crl: period(-3, 1) }), true],
  ])('%s', (_name, given, isNear) => {
    expect(near(given)).toHaveLength(isNear ? 1 : 0);
  });

  it('each says what to do; everybody’s once, however many stand under it', () => {
    const bad: NodeEnds = {
      node: 'web~b',
      leaf: leafOf(-25, -1),
      issuer: period(-360, 5),
      root: period(-3640, 10),
      token: period(-351, 14),
    };
    const { warnings } = toHorizon({
      ...INPUT,
      nodes: [bad, { ...bad, node: 'web~a' }],
      xdsAnchor: period(-YEAR / DAY, 1),
      xdsCertificate: period(-300, 1),
      crl: period(-9, 1),
    });
    const everyLeaf = 'every leaf under it ends then:';
    const token = 'unless its token file has a newer one, it could not join again:';
    expect(warnings.map(({ text }) => text)).toEqual([
      `root ends 2026-01-11T00:00:00.000Z: ${everyLeaf} rotate it with \`countersign ca rotate\``,
      `issuer ends 2026-01-06T00:00:00.000Z: ${everyLeaf} it should have been replaced`,
      'crl ends 2026-01-02T00:00:00.000Z: sidecars refuse every peer then: ' +
        'it should have been renewed',
      'leaf of web~a ended 2025-12-31T23:00:00.000Z: it should have been renewed: see the log',
      'leaf of web~b ended 2025-12-31T23:00:00.000Z: it should have been renewed: see the log',
      `token of web~a ends 2026-01-15T00:00:00.000Z: ${token} \`countersign token\``,
      `token of web~b ends 2026-01-15T00:00:00.000Z: ${token} \`countersign token\``,
      'xds-certificate ends 2026-01-02T00:00:00.000Z: no sidecar could join again: ' +
        'it should have been renewed, see the log',
      'xds-anchor ends 2026-01-02T00:00:00.000Z: no sidecar could join again: ' +
        'each needs a new bootstrap before that',
    ]);
    expect(new Set(warnings.map(({ what }) => what)).size).toBe(HORIZON_KINDS.length);
  });
});

describe('as it is shown', () => {
  it('in status', () => {
    const horizon = toHorizon(INPUT);
    expect({
      mesh: toHorizonStatus(horizon.first),
      proxy: toProxyHorizon(horizon, 'web~a'),
      other: toProxyHorizon(horizon, 'web~z'),
      warnings: toWarningStatus(horizon.warnings),
    }).toEqual({
      mesh: { at: '2026-01-01T23:00:00.000Z', what: 'leaf', node: 'web~a' },
      proxy: { at: '2026-01-01T23:00:00.000Z', what: 'leaf' },
      other: null,
      warnings: [],
    });
  });

  it('of thousands of late leaves twenty are told', () => {
    const nodes = Array.from({ length: 3_000 }, (_, i) => ({
      ...WEB,
      node: `web~${i}`,
      leaf: leafOf(-25, -1),
    }));
    const told = toWarningStatus(toHorizon({ ...INPUT, nodes }).warnings);
    expect(told).toHaveLength(21);
    expect(told.at(-1)).toEqual({ text: 'leaf of 2980 more proxies, as above' });
  });

  it('in metrics', () => {
    expect(toExposition(toHorizonFamilies(toHorizon(input({ token: period(-351, 14) }))))).toBe(
      `# HELP countersign_outage_horizon_timestamp_seconds \
When the first of each kind ends, if the server stopped now.
# TYPE countersign_outage_horizon_timestamp_seconds gauge
countersign_outage_horizon_timestamp_seconds{what="root"} 2073945600
countersign_outage_horizon_timestamp_seconds{what="issuer"} 1790121600
countersign_outage_horizon_timestamp_seconds{what="leaf"} 1767308400
countersign_outage_horizon_timestamp_seconds{what="token"} 1768435200
countersign_outage_horizon_timestamp_seconds{what="xds-certificate"} 1798675200
countersign_outage_horizon_timestamp_seconds{what="xds-anchor"} 2389305600
# HELP countersign_outage_horizon_first_timestamp_seconds \
When the first thing fails, if the server stopped now.
# TYPE countersign_outage_horizon_first_timestamp_seconds gauge
countersign_outage_horizon_first_timestamp_seconds 1767308400
# HELP countersign_horizon_warnings Ends that are near and should be far, by kind.
# TYPE countersign_horizon_warnings gauge
countersign_horizon_warnings{what="root"} 0
countersign_horizon_warnings{what="issuer"} 0
countersign_horizon_warnings{what="crl"} 0
countersign_horizon_warnings{what="leaf"} 0
countersign_horizon_warnings{what="token"} 1
countersign_horizon_warnings{what="xds-certificate"} 0
countersign_horizon_warnings{what="xds-anchor"} 0
`,
    );
  });
});
