// docs/mesh.md has the keys that the schema accepts, all and no others, and examples that load.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { parseMesh } from '../../src/policy/index.js';
import { meshSchema, SECTION_KEYS, type Section } from '../../src/policy/schema.js';

const PAGE = readFileSync(fileURLToPath(new URL('../../docs/mesh.md', import.meta.url)), 'utf8');

/** Which table of the page describes which kind of map: by what stands before it. */
const TABLES: Readonly<Record<Section, string>> = {
  mesh: '## The mesh',
  namespace: '## A namespace',
  service: '## A service',
  port: '## A port',
  health: 'Fields of `health`:',
  rule: '## A rule',
  not: 'Fields of `not`:',
  tls: '## TLS',
  certificates: '## Certificates',
  capture: '## Capture',
  authority: '## Authority',
  stepCa: '## step-ca',
  issuer: '## Node issuers',
  node: 'Nodes of an issuer:',
};

/** The rows of the first table after a line, by key. */
function rowsAfter(line: string): ReadonlyMap<string, string> {
  const [, after = ''] = PAGE.split(`\n${line}\n`);
  const [, table = ''] = /\n(\| key \|[^\n]*\n(?:\|[^\n]*\n)*)/.exec(after) ?? [];
  const rows = table.split('\n').flatMap((row) => {
    const [, key] = /^\| `(\w+)` \|/.exec(row) ?? [];
    return key === undefined ? [] : ([[key, row]] as const);
  });
  return new Map(rows);
}

interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly [key: string]: unknown;
}

/** Each property anywhere in a schema, with the words that it takes. */
function propertiesIn(schema: unknown, found = new Map<string, Set<string>>()) {
  if (Array.isArray(schema)) for (const one of schema) propertiesIn(one, found);
  else if (typeof schema === 'object' && schema !== null) {
    const { properties = {}, ...rest } = schema as JsonSchema;
    for (const [name, property] of Object.entries(properties)) {
      const words = found.get(name) ?? new Set();
      for (const word of wordsOf(property)) words.add(word);
      found.set(name, words);
      propertiesIn(property, found);
    }
    propertiesIn(Object.values(rest), found);
  }
  return found;
}

function wordsOf({ enum: words, const: word, items, anyOf }: JsonSchema): readonly string[] {
  const below = [items, ...(Array.isArray(anyOf) ? anyOf : [])];
  return [
    ...(Array.isArray(words) ? words : []),
    ...(typeof word === 'string' ? [word] : []),
    ...below.flatMap((one) => (one === undefined ? [] : wordsOf(one as JsonSchema))),
  ];
}

describe('docs/mesh.md', () => {
  const sections = Object.entries(TABLES) as readonly (readonly [Section, string])[];

  test.each(sections)('the keys of a %s', (section, line) => {
    expect([...rowsAfter(line).keys()].sort()).toEqual([...SECTION_KEYS[section]].sort());
  });

  const properties = propertiesIn(
    z.toJSONSchema(meshSchema, { io: 'input', unrepresentable: 'any' }),
  );
  const rows = sections.flatMap(([, line]) => [...rowsAfter(line)]);

  test('no map of the schema is missing', () => {
    expect(properties.size).toBeGreaterThan(30);
    const described = new Set(rows.map(([key]) => key));
    expect([...properties.keys()].filter((key) => !described.has(key))).toEqual([]);
  });

  test('each word that a key takes', () => {
    const words = [...properties].flatMap(([key, all]) => [...all].map((word) => ({ key, word })));
    expect(words.length).toBeGreaterThan(20);
    const missing = words.filter(
      ({ key, word }) => !rows.some(([other, row]) => other === key && row.includes(`\`${word}\``)),
    );
    expect(missing).toEqual([]);
  });

  const examples = [...PAGE.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text = '']) => text);

  test('the examples load', () => {
    expect(examples.length).toBeGreaterThan(3);
    for (const text of examples) {
      const { mesh, problems } = parseMesh([{ path: 'docs/mesh.md', text }]);
      expect(
        problems.filter(({ severity }) => severity === 'error' || severity === 'warning'),
      ).toEqual([]);
      expect(mesh).toBeDefined();
    }
  });
});
