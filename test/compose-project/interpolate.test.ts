// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of compose files.
import { describe, expect, test } from 'vitest';
import { InterpolationError, interpolate } from '../../src/compose/project/interpolate.js';

const VALUES: Readonly<Record<string, string>> = { SET: 'value', EMPTY: '', OTHER: 'other' };

function replace(text: string): { result: string; unset: string[] } {
  const unset: string[] = [];
  const result = interpolate(text, {
    lookup: (name) => VALUES[name],
    onUnset: (name) => unset.push(name),
  });
  return { result, unset };
}

describe('variables as Compose replaces them', () => {
  const rows: readonly [text: string, result: string][] = [
    ['no variable', 'no variable'],
    ['$SET', 'value'],
    ['a-$SET-b', 'a-value-b'],
    ['${SET}', 'value'],
    ['$SET_B', ''],
    ['$$SET', '$SET'],
    ['$$$SET', '$value'],
    ['a$', 'a$'],
    ['$1 $(date) $-', '$1 $(date) $-'],
    ['${SET:-d}', 'value'],
    ['${EMPTY:-d}', 'd'],
    ['${NONE:-d}', 'd'],
    ['${SET-d}', 'value'],
    ['${EMPTY-d}', ''],
    ['${NONE-d}', 'd'],
    ['${SET:+r}', 'r'],
    ['${EMPTY:+r}', ''],
    ['${NONE:+r}', ''],
    ['${SET+r}', 'r'],
    ['${EMPTY+r}', 'r'],
    ['${NONE+r}', ''],
    ['${SET:?message}', 'value'],
    ['${EMPTY?message}', ''],
    ['${NONE:-a${ALSO:-b}c}d', 'abcd'],
    ['${NONE:-$SET}', 'value'],
    ['${NONE:-${SET}-${OTHER}}', 'value-other'],
    ['${NONE:-{"a":1}}', '{"a":1}'],
    ['${NONE:-a:-b}', 'a:-b'],
    ['${NONE:-}', ''],
    ['${NONE:-two words: $$5}', 'two words: $5'],
  ];
  test.each(rows)('%s', (text, result) => {
    expect(replace(text).result).toBe(result);
  });

  test('what nobody sets is said, unless there is a default', () => {
    expect(replace('$NONE ${ALSO} ${THIRD:-d}').unset).toEqual(['NONE', 'ALSO']);
  });
});

describe('what is none', () => {
  const rows: readonly [text: string, message: RegExp][] = [
    ['${NONE:?set it}', /^required variable NONE is missing a value: set it$/],
    ['${EMPTY:?}', /^required variable EMPTY is missing a value$/],
    ['${NONE?why ${SET}}', /^required variable NONE is missing a value: why value$/],
    ['${', /no end/],
    ['${SET', /no end/],
    ['${}', /no name/],
    ['${1a}', /no name/],
    ['${SET!x}', /no operator/],
  ];
  test.each(rows)('%s', (text, message) => {
    expect(() => replace(text)).toThrow(InterpolationError);
    expect(() => replace(text)).toThrow(message);
  });

  test('defaults that are nested too deeply, or grow too long', () => {
    expect(() => replace('${A:-'.repeat(100) + '}'.repeat(100))).toThrow(/too deeply/);
    const long = 'x'.repeat(600_000);
    const lookup = (): string => long;
    expect(() => interpolate('$A$A', { lookup, onUnset: () => {} })).toThrow(/too long/);
  });
});
