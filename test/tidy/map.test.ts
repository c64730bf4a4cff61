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
