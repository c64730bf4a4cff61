// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of compose files.
import { expect, test } from 'vitest';
import { MeshError } from '../../src/base/index.js';
import { readDotenv } from '../../src/compose/project/dotenv.js';

function read(text: string, known: Readonly<Record<string, string>> = {}): Record<string, string> {
  const into = new Map<string, string>();
  readDotenv(text, { file: '.env', lookup: (name) => known[name], into });
  return Object.fromEntries(into);
}

const ROWS: readonly [text: string, result: Record<string, string>][] = [
  ['', {}],
  ['# nothing\n\n', {}],
  ['A=1', { A: '1' }],
  ['A=1\r\nB=2\r\n', { A: '1', B: '2' }],
  ['\uFEFFA=1', { A: '1' }],
  ['export A=1', { A: '1' }],
  ['A = 1', { A: '1' }],
  ['A: yaml', { A: 'yaml' }],
  ['A=', { A: '' }],
  ['A=\nB=2', { A: '', B: '2' }],
  ['A=one two  ', { A: 'one two' }],
  ['A=1 # said', { A: '1' }],
  ['A=1#2', { A: '1#2' }],
  ['A=a=b', { A: 'a=b' }],
  ["A='single $B # kept'", { A: 'single $B # kept' }],
  ['A="double # kept"', { A: 'double # kept' }],
  ['A="two\nlines"\nB=2', { A: 'two\nlines', B: '2' }],
  ['A="a\\nb \\"q\\" \\\\ \\$B"', { A: 'a\nb "q" \\ $B' }],
  ["A='it\\'s'", { A: "it's" }],
  ['A=1\nB=$A-${A}', { A: '1', B: '1-1' }],
  ['A=1\nB="${A:-d} ${NONE:-d}"', { A: '1', B: '1 d' }],
  ['a.b-c=1', { 'a.b-c': '1' }],
  ['1A=skipped\nB=2', { B: '2' }],
  ['KNOWN\nNONE', { KNOWN: 'outside' }],
  ['A=$KNOWN\nKNOWN=own\nB=$KNOWN', { A: 'outside', KNOWN: 'own', B: 'outside' }],
];

test.each(ROWS)('%j', (text, result) => {
  expect(read(text, { KNOWN: 'outside' })).toEqual(result);
});

const WRONG: readonly [text: string, message: RegExp][] = [
  ['A=1\nB="no end\nsecret', /^\.env:2: a " has no end$/],
  ['A=1\n\n{ "json": 1 }', /^\.env:3: expected NAME=value/],
  ['two words=secret', /^\.env:1: expected NAME=value but got something else$/],
  ['A=${B:?needed}', /^\.env:1: required variable B is missing a value: needed$/],
];

test.each(WRONG)('%j is refused with its line, and without its value', (text, message) => {
  expect(() => read(text)).toThrow(MeshError);
  expect(() => read(text)).toThrow(message);
});
