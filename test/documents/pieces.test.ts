// What a document's test rests on: that a difference is seen, and that commands are taken apart as
// a shell does it.
import { describe, expect, test } from 'vitest';
import { difference } from './markdown.js';
import { toCommands } from './reader.js';

describe('what is shown and what is printed', () => {
  test.each<[string, string]>([
    ['a\nb', 'a\nb\n'],
    ['serial …, ends …', 'serial 1f, ends 2027'],
    ['…\nready', 'one\ntwo\nready'],
    ['…\nready', 'ready'],
    ['ready\n…', 'ready\none'],
    ['ready\n…', 'ready'],
    ['curl: (56) [a]', 'curl: (56) [a]'],
  ])('%j is %j', (shown, printed) => {
    expect(difference(shown, printed)).toBeUndefined();
  });

  test.each<[string, string]>([
    ['a', 'b'],
    ['a', 'a\nb'],
    ['a\nb', 'a'],
    ['serial …, ends …', 'serial 1f'],
    ['…\nready', 'ready\nand more'],
    ['a.c', 'abc'],
    ['', 'something'],
  ])('%j is not %j', (shown, printed) => {
    expect(difference(shown, printed)).toMatch(/^expected\n/);
  });
});

test('commands are whole: lines that go on, quotes, heredocs, comments before them', () => {
  const typed = `# first
a b
c \\
  d
cat > f <<'END'
e
END

for x in 1 2; do
  echo $x
done
echo "two
lines"`;
  expect(toCommands(typed)).toEqual([
    '# first\na b',
    'c \\\n  d',
    "cat > f <<'END'\ne\nEND",
    'for x in 1 2; do\n  echo $x\ndone',
    'echo "two\nlines"',
  ]);
});
