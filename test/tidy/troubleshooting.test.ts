// docs/troubleshooting.md quotes what users see: what it says to be ours is in the code, word for
// word, where `…` stands for what the code puts in.
import { describe, expect, it } from 'vitest';
import { SRC, some } from './files.js';
import { readText } from './sources.js';

const PAGE = readText('docs/troubleshooting.md').text;

const ROWS = PAGE.split('\n').flatMap((line) => {
  const [, says, whose] = /^\| (`.+?`(?: or `.+?`)*)(?: \([^|]*\))? \| (\w+) \|/.exec(line) ?? [];
  const quotes = [...(says ?? '').matchAll(/`([^`]+)`/g)].map(([, quote = '']) => quote);
  return whose === undefined ? [] : quotes.map((quote) => ({ quote, whose }));
});

/** Texts as they come out: parts that are joined are one, and what is put in is `…`. */
const TEXT = SRC.map(({ text }) => text)
  .join('\n')
  // A script that we write names that file.
  .replaceAll(/\$\{config\}/g, 'envoy.json')
  .replace(/['`"] \+\s*['`"]/g, '')
  .replace(/\\'/g, "'")
  .replace(/\$\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}/g, '…');

const isOurs = (quote: string): boolean => {
  const parts = quote.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(parts.join('[^\\n]{0,80}')).test(TEXT);
};

describe('docs/troubleshooting.md', () => {
  const ours = some(ROWS.filter(({ whose }) => whose === 'Countersign'));

  it('says of each message whose it is', () => {
    const rows = PAGE.split('\n').filter((line) => line.startsWith('| `'));
    expect(ROWS.length).toBeGreaterThanOrEqual(rows.length);
    const others = [...new Set(ROWS.map(({ whose }) => whose))].sort();
    expect(others).toEqual(['Countersign', 'Docker', 'Envoy', 'OpenSSL', 'curl']);
  });

  it.each(ours.map(({ quote }) => quote))('%s', (quote) => {
    expect(isOurs(quote), 'no such text in src/').toBe(true);
  });

  it('notices a message that is no more', () => {
    expect(isOurs('expected a tokken but got none')).toBe(false);
  });
});
