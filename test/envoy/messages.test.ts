// docs/troubleshooting.md quotes what Envoy says: each message is one that the Envoy at hand has in
// it, word for word, where `…` stands for what it puts in.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { describeEnvoy } from '../harness/index.js';

/** What Envoy puts in: names, numbers, and the words of the system (strerror). */
const PUT_IN = new RegExp(
  [
    ...['…', "'[^']*'", 'base_id=\\d+', 'reset reason: ', 'closed: 14, ', 'authorization'],
    ...['connection refused', 'Address already in use', 'Cannot assign requested address'],
    'Permission denied',
  ].join('|'),
);

/** Of an Envoy that is no longer supported: it was seen to say that, and this one doesn't. */
const OLDER: readonly string[] = ['invalid header value for: authorization'];

function toParts(quote: string): readonly string[] {
  return quote.split(PUT_IN).filter((part) => part.trim().length > 5);
}

await describeEnvoy('docs/troubleshooting.md', {}, ({ binary }) => {
  test('quotes Envoy as it speaks', () => {
    const page = readFileSync(new URL('../../docs/troubleshooting.md', import.meta.url), 'utf8');
    const quotes = page.split('\n').flatMap((line) => {
      const [, says = ''] = /^\| (`.+?`(?: or `.+?`)*)(?: \([^|]*\))? \| Envoy \|/.exec(line) ?? [];
      return [...says.matchAll(/`([^`]+)`/g)].map(([, quote = '']) => quote);
    });
    expect(quotes).toEqual(expect.arrayContaining([...OLDER]));
    expect(quotes.length).toBeGreaterThan(10);
    const program = readFileSync(binary);
    const missing = quotes
      .filter((quote) => !OLDER.includes(quote))
      .filter((quote) => toParts(quote).some((part) => !program.includes(part.trim())));
    expect(missing).toEqual([]);
    expect(program.includes('unable to bind domian socket')).toBe(false);
  });
});
