import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createCaChain } from '../../src/ca/index.js';
import { generateKeys } from '../../src/x509/keys/index.js';
import { seededRandom } from '../fakes/seeded-random.js';
import { Cli, MESH } from './cli.js';
import { expectTranscript } from './transcript.js';

// What commands print, as a terminal shows it: transcripts/*.txt. `== title` begins a test. It may
// have files, each after a line `-- name`, before its commands, which follow `-- terminal`:
// `-- mesh.yaml: the good one` is MESH of cli.ts, `-- data: used` a folder that a server has
// used, `-- data: made` one with a CA alone, `-- data: new` an empty one, `-- corp: a CA` the files
// of one that a company might have: corp.pem and corp.key its root, issuing.pem and issuing.key a
// CA below it.

const FOLDER = join(import.meta.dirname, 'transcripts');
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith('.txt'));

interface Case {
  readonly title: string;
  readonly files: readonly { readonly name: string; readonly text: string }[];
  readonly terminal: string;
}

function toCase(section: string): Case {
  const [title = '', ...rest] = section.split('\n');
  const [, ...parts] = `\n${rest.join('\n')}`.split(/\n-- /);
  const files = parts.map((part) => {
    const [name = '', ...lines] = part.split('\n');
    return { name, text: lines.join('\n') };
  });
  const terminal = files.find(({ name }) => name === 'terminal')?.text ?? rest.join('\n');
  return { title, files: files.filter(({ name }) => name !== 'terminal'), terminal };
}

async function prepare(cli: Cli, files: Case['files']): Promise<void> {
  for (const { name, text } of files) {
    if (name === 'data: used') await cli.prepareData();
    else if (name === 'data: made') await cli.makeData();
    else if (name === 'data: new') mkdirSync(cli.path('data'));
    else if (name === 'corp: a CA') await writeCa(cli);
    else if (name === 'mesh.yaml: the good one') cli.write('mesh.yaml', MESH);
    else {
      mkdirSync(dirname(cli.path(name)), { recursive: true });
      cli.write(name, text);
    }
  }
}

async function writeCa(cli: Cli): Promise<void> {
  const random = seededRandom('corp');
  const tools = { clock: cli.clock, random, keySource: generateKeys };
  const { root, rootKeyPem = '', issuer } = await createCaChain('shop.example', tools);
  cli.write('corp.pem', root.pem);
  cli.write('corp.key', rootKeyPem);
  cli.write('issuing.pem', issuer.pem);
  cli.write('issuing.key', issuer.privateKeyPem);
}

test('there are transcripts', () => {
  expect(FILES.length).toBeGreaterThan(0);
});

describe.each(FILES)('%s', (file) => {
  const [, ...sections] = `\n${readFileSync(join(FOLDER, file), 'utf8')}`.split(/\n== /);

  test.each(sections.map(toCase))('$title', async ({ files, terminal }) => {
    const cli = new Cli();
    await prepare(cli, files);
    await expectTranscript(cli, terminal);
  });
});
