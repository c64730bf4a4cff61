// One clear line for each mistake, with file and line where they are known.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readProject } from '../../src/compose/project/index.js';
import { folderOf, refusalOf, webOf } from './project-files.js';

const more = (text: string): string => `${webOf()}\n${text}`;

const ROWS: readonly [what: string, text: string, message: RegExp | string][] = [
  ['an empty file', '', 'compose.yaml: expected a compose file but got an empty one'],
  ['comments alone', '# nothing\n', 'compose.yaml: expected a compose file but got an empty one'],
  ['a list', '- a', 'compose.yaml: expected a compose file but got a list'],
  [
    'the format before services:',
    'web:\n  image: x\ndb:\n  image: y\n',
    'compose.yaml: services stand at its top, in the format before "services:"',
  ],
  ['bad YAML', 'services:\n  web: [', /^compose\.yaml:2: expected valid YAML but got a mistake: /],
  ['a tab', 'services:\n\tweb: 1', /^compose\.yaml:2: expected valid YAML/],
  ['a key twice', webOf('user: "1"', 'user: "2"'), /^compose\.yaml:5: expected each key once/],
  ['a service twice', more('  web: { image: y }'), /^compose\.yaml:4: expected each key once/],
  [
    'a number as a key',
    webOf('x-countersign:', '  ports:', '    8080: http'),
    /^compose\.yaml:6: expected a word as a key in .*\.x-countersign\.ports but got 8080/,
  ],
  ['no services', 'networks: { a: }', /^expected a map at services|expected a map at services/],
  ['no service', 'services: {}', 'compose.yaml:1: expected services but got none'],
  [
    'services as a list',
    'services: [a]',
    'compose.yaml:1: expected a map at services but got something else',
  ],
  [
    'nothing in a service',
    'services:\n  web:\n',
    /^compose\.yaml:2: expected settings of service "web"/,
  ],
  [
    'neither image nor build',
    'services:\n  web: { user: "1" }',
    'compose.yaml:2: service "web" has neither an image nor a build',
  ],
  [
    'an unknown key',
    webOf('prots: ["80:80"]'),
    'compose.yaml:4: unknown key "prots" in service "web" (did you mean "ports"?)',
  ],
  ['an unknown section', more('servces: {}'), /^compose\.yaml:4: unknown key "servces"/],
  [
    'ports that are no list',
    webOf('ports: 80'),
    /^compose\.yaml:4: services\.web\.ports: expected a list/,
  ],
  [
    'a dependency that is nowhere',
    webOf('depends_on: [db]'),
    'compose.yaml:4: depends_on of service "web" names a service that isn\'t there: "db"',
  ],
  [
    'a link that leads nowhere',
    webOf('links: ["db:x"]'),
    /^compose\.yaml:4: links of service "web" names/,
  ],
  [
    'a network that is nowhere',
    webOf('networks: [a]'),
    /^compose\.yaml:4: networks .* isn't there: "a"$/,
  ],
  [
    'a volume that is nowhere',
    webOf('volumes: ["vol:/x"]'),
    /^compose\.yaml:4: volumes .* isn't there: "vol"$/,
  ],
  [
    'a mount without a source',
    webOf('volumes: [":/x"]'),
    /volumes of service "web" has an entry without a name/,
  ],
  [
    'a secret that is nowhere',
    webOf('secrets: [a]'),
    /^compose\.yaml:4: secrets .* isn't there: "a"$/,
  ],
  [
    'a borrowed network that is nowhere',
    webOf('network_mode: "service:vpn"'),
    'compose.yaml:4: network_mode of service "web" names a service that isn\'t there: "vpn"',
  ],
  [
    'a network mode and networks',
    more('    network_mode: host\n    networks: [default]'),
    /^compose\.yaml:4: service "web" has both a network_mode and networks$/,
  ],
  [
    'dependencies in a circle',
    `${webOf('depends_on: [b]')}\n  b: { image: x, depends_on: [web] }`,
    /expected an end of depends_on but got a circle: web, b, web$/,
  ],
  ['an alias of nothing', webOf('user: *none'), /^compose\.yaml:4: .*none/],
  ['a merge of no map', webOf('<<: 1'), /^compose\.yaml:4: expected a map under <</],
];

test.each(ROWS)('%s', async (_, text, message) => {
  const found = await refusalOf(text);
  if (typeof message === 'string') expect(found).toBe(message);
  else expect(found).toMatch(message);
  expect(found).not.toContain('\n');
});

test('names from the file are cut and kept on one line', async () => {
  const message = await refusalOf(webOf(`depends_on: ["a\\nb\\u001b${'x'.repeat(500)}"]`));
  expect(message.length).toBeLessThan(300);
  expect(message).not.toContain('\n');
  expect(message).not.toContain('\u001b');
});

test('a pipe is refused, and waits for nobody', async () => {
  const folder = await folderOf({ 'a.txt': '' });
  execFileSync('mkfifo', [join(folder, 'compose.yaml')]);
  const read = readProject({ files: ['compose.yaml'], cwd: folder, env: {}, reader: 'own' });
  await expect(read).rejects.toThrow('cannot read compose.yaml: it is no file');
});
