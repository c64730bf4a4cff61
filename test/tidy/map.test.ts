import { expect, it } from 'vitest';
import { FILES } from './files.js';
import { readText } from './sources.js';

// The map of ARCHITECTURE.md ("Where is …?"): questions that a newcomer asks, each with the file
// and the symbol that answer it.

const ROW = /^\| ([^`|]+) \| `([\w./-]+)` \| `([\w#]+)` \|$/gm;
const ROWS = [...readText('ARCHITECTURE.md').text.matchAll(ROW)].map(
  ([, question = '', file = '', symbol = '']) => ({ question, file, symbol }),
);

it('has at least fifteen questions', () => {
  expect(ROWS.length).toBeGreaterThanOrEqual(15);
});

it.each(ROWS)('where is $question: $file has $symbol', ({ file, symbol }) => {
  expect(FILES).toContain(file);
  expect(readText(file).text).toMatch(new RegExp(`(?<![\\w#])${symbol}\\b`));
});

const DOCUMENTS = FILES.filter((path) => /^(README|ARCHITECTURE|docs\/.*)\.md$/.test(path));

it.each(DOCUMENTS)('%s names files that are there', (path) => {
  const named = [...readText(path).text.matchAll(/`((?:src|test|scripts|bench)\/[\w./-]+\.\w+)`/g)];
  const missing = named.map(([, file = '']) => file).filter((file) => !FILES.includes(file));
  expect(missing.filter((file) => !file.startsWith('src/gen/'))).toEqual([]);
});
