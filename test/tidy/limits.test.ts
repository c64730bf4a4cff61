import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

// docs/limits.md and docs/threats.md: a line is a list item that ends with (`file`: name), and that
// file of the tests has that name.

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const files = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' }).filter(
  (file) => file.endsWith('.ts'),
);

describe.each(['docs/limits.md', 'docs/threats.md'])('%s', (path) => {
  const page = readFileSync(join(ROOT, path), 'utf8');
  const lines = page
    .split(/\n(?=- |\n|#)/)
    .map((text) => text.trim().replaceAll(/\s+/g, ' '))
    .filter((text) => text.startsWith('- '));

  test('the page has lines, and nothing that no line of this kind holds', () => {
    expect(lines.length).toBeGreaterThan(10);
    expect(page).not.toMatch(/^[|*]/m);
  });

  test.each(lines)('%s', (line) => {
    const [, file = '', name = ''] = /\(`([\w.-]+)`: ([^)]+)\)$/.exec(line) ?? [];
    expect(name, 'the line names no test').not.toBe('');
    const texts = files
      .filter((each) => basename(each) === file)
      .map((each) => readFileSync(join(ROOT, 'test', each), 'utf8'));
    expect(texts, `there is no test file ${file}`).not.toEqual([]);
    expect(
      texts.some((text) => text.includes(name)),
      `${file} has no "${name}"`,
    ).toBe(true);
  });
});
