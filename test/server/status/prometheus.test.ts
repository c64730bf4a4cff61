import { describe, expect, it } from 'vitest';
import { toExposition } from '../../../src/server/status/prometheus.js';

const GAUGE = { name: 'things', type: 'gauge', help: 'Things.' } as const;
const HEADING = '# HELP countersign_things Things.\n# TYPE countersign_things gauge\n';

describe('Prometheus text', () => {
  it.each([
    ['a value alone', [{ value: 3 }], 'countersign_things 3\n'],
    ['fractions and large ones', [{ value: 1767308400.25 }], 'countersign_things 1767308400.25\n'],
    [
      'what is no finite number',
      [{ value: Number.POSITIVE_INFINITY }, { value: -1 / 0 }, { value: Number.NaN }],
      'countersign_things +Inf\ncountersign_things -Inf\ncountersign_things NaN\n',
    ],
    [
      'labels, sorted by name',
      [{ labels: { what: 'leaf', node: 'web~a' }, value: 1 }],
      'countersign_things{node="web~a",what="leaf"} 1\n',
    ],
    [
      'what a label may not hold as it is',
      [{ labels: { node: 'a"b\\c\nd}' }, value: 1 }],
      'countersign_things{node="a\\"b\\\\c\\nd}"} 1\n',
    ],
    [
      'samples in the order given',
      [
        { labels: { a: 'z' }, value: 1 },
        { labels: { a: 'b' }, value: 2 },
      ],
      'countersign_things{a="z"} 1\ncountersign_things{a="b"} 2\n',
    ],
    ['no samples: the heading alone', [], ''],
  ])('%s', (_, samples, text) => {
    expect(toExposition([{ ...GAUGE, samples }])).toBe(HEADING + text);
  });

  it('counters, help of two lines, and families in their order', () => {
    const counter = { name: 'done_total', type: 'counter', help: 'Done\\\nand over.' } as const;
    expect(
      toExposition([
        { ...counter, samples: [{ value: 1 }] },
        { ...GAUGE, samples: [] },
      ]),
    ).toBe(
      '# HELP countersign_done_total Done\\\\\\nand over.\n' +
        `# TYPE countersign_done_total counter\ncountersign_done_total 1\n${HEADING}`,
    );
  });
});
