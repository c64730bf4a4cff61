// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of compose files.
// Files that somebody wrote to hurt: each is read or refused by a MeshError, in bounded time.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MeshError } from '../../src/base/index.js';
import { toWords } from '../../src/compose/project/words.js';
import { readYamlText } from '../../src/compose/project/yaml-documents.js';
import { readFolder, refusalOf, webOf } from './project-files.js';

const RUNS = { seed: 20_261_128, numRuns: 60 };

const BOMBS: readonly [what: string, text: string][] = [
  ['nested lists', '['.repeat(100_000)],
  ['nested maps', `a: ${'{a: '.repeat(50_000)}`],
  [
    'nested by indentation',
    Array.from({ length: 2_000 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'),
  ],
  [
    'aliases of aliases',
    `${Array.from({ length: 30 }, (_, i) => {
      const before = i === 0 ? '[x, x]' : `[*a${i - 1}, *a${i - 1}]`;
      return `x-${i}: &a${i} ${before}`;
    }).join('\n')}\nservices: { web: { image: x } }`,
  ],
  [
    'merges of merges',
    `${Array.from({ length: 30 }, (_, i) => {
      const before = i === 0 ? 'k: v' : `<<: [*m${i - 1}, *m${i - 1}]`;
      return `x-${i}: &m${i}\n  ${before}\n  k${i}: v`;
    }).join('\n')}\nservices: { web: { image: x } }`,
  ],
  ['an alias of what it stands in', 'x: &a [*a]\nservices: { web: { image: x } }'],
  ['more text than there may be', `#${'x'.repeat(3 * 1024 * 1024)}`],
  ['a prototype', 'services: { __proto__: { image: x } }'],
  [
    'more services than there may be',
    `services:\n${Array.from({ length: 1_001 }, (_, i) => `  s${i}: { image: x }`).join('\n')}`,
  ],
];

test.each(BOMBS)('%s', async (_, text) => {
  const message = await refusalOf(text);
  expect(message.length).toBeLessThan(400);
});

test('a text that its variables make long', async () => {
  const text = webOf(`command: ["${'$A'.repeat(10_000)}"]`);
  const message = await refusalOf(text, { env: { A: 'x'.repeat(1_000) } });
  expect(message).toMatch(/it becomes too long$/);
});

test('files that extend or include one another for ever', async () => {
  const chain = Object.fromEntries(
    Array.from({ length: 300 }, (_, i) => [
      `f${i}.yml`,
      `services: { web: { image: x, extends: { file: f${i + 1}.yml, service: web } } }`,
    ]),
  );
  expect(await refusalOf(chain, { read: ['f0.yml'] })).toMatch(/expected at most 250 files/);
});

/** Anything, with the words that mean something in a compose file. */
const word = fc.oneof(
  fc.constantFrom('services', 'web', 'image', 'ports', 'extends', 'include', 'networks', 'volumes'),
  fc.constantFrom(
    'depends_on',
    'environment',
    'env_file',
    'healthcheck',
    'deploy',
    'labels',
    'build',
  ),
  fc.constantFrom('links', 'expose', 'x-countersign', '<<', 'name', 'command', 'network_mode'),
  fc.string({ maxLength: 8 }),
);
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom('a', '80:80', '${A:-b}', '$$', '*', '8080', 'web', 'service:web', './x', ''),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('any'), { maxLength: 3 }),
    fc.dictionary(word, tie('any'), { maxKeys: 4 }),
  ),
})).any;

test('whatever stands where: read, or one line', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.dictionary(word, value, { maxKeys: 4 }), value, async (top, service) => {
      const project = { ...top, services: { web: service, db: { image: 'x' } } };
      await expectReadOrRefused(JSON.stringify(project));
      const nested = { ...top, services: { web: { image: 'x', ...Object(service) } } };
      await expectReadOrRefused(JSON.stringify(nested));
    }),
    RUNS,
  );
});

async function expectReadOrRefused(text: string): Promise<void> {
  try {
    await readFolder(text);
  } catch (error) {
    expect(error).toBeInstanceOf(MeshError);
    expect((error as Error).message).not.toContain('\n');
  }
}

test('whatever text: YAML is read, or one line', () => {
  const line = fc.constantFrom(
    'a: &b',
    '- *b',
    '<<: *b',
    '"',
    "'",
    '|',
    '>',
    '? a',
    '---',
    '%X',
    '!t',
  );
  const text = fc.array(fc.oneof(line, fc.string({ maxLength: 12 })), { maxLength: 12 });
  fc.assert(
    fc.property(text, (lines) => {
      try {
        readYamlText('f', lines.join('\n'));
      } catch (error) {
        expect(error).toBeInstanceOf(MeshError);
      }
    }),
    { ...RUNS, numRuns: 400 },
  );
});

test('words hold every character that is no quote, space or backslash before an operator', () => {
  fc.assert(
    fc.property(fc.array(fc.stringMatching(/^[\w./:=@-]{1,8}$/), { maxLength: 6 }), (words) => {
      expect(toWords(words.join('  '))).toEqual(words);
    }),
    RUNS,
  );
});
