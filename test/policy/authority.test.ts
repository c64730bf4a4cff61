// `authority:` in mesh.yaml: what is accepted, the exact words for what is not, and where its files
// are.
import { describe, expect, test } from 'vitest';
import { changedAuthority, parseMesh } from '../../src/policy/index.js';
import { meshOf, problemsOf } from './helpers.js';

const toText = (url: string, more = ''): string => `trustDomain: shop.example
authority:
  stepCa:
    url: ${url}
    root: ./root_ca.crt
    provisioner: countersign
    key: /etc/keys/provisioner.jwk
${more}`;
const GOOD = toText('https://ca.example:9000');

const AT = 'mesh.yaml:4:5 authority.stepCa.url:';
const URL_FORM = 'expected an https address such as https://ca.example:9000 but got';

const rows: [name: string, text: string, problems: string[]][] = [
  ['as documented', GOOD, []],
  ['the default port', toText('https://ca.example'), []],
  ['an address', toText('https://127.0.0.1:9000/'), []],
  ['IPv6', toText('"https://[::1]:9000"'), []],
  [
    'plain http',
    toText('http://ca.example:9000'),
    [`${AT} ${URL_FORM} "http://ca.example:9000"\n  hint: step-ca serves TLS only`],
  ],
  ['no address', toText('ca.example'), [`${AT} ${URL_FORM} "ca.example"`]],
  [
    'a path',
    toText('https://ca.example:9000/1.0/sign'),
    [`${AT} ${URL_FORM} "https://ca.example:9000/1.0/sign"\n  hint: write https://ca.example:9000`],
  ],
  [
    'a password',
    toText('https://user:pass@ca.example'),
    [`${AT} ${URL_FORM} "https://user:pass@ca.example"\n  hint: write https://ca.example`],
  ],
  [
    'an empty file name',
    GOOD.replace('./root_ca.crt', '""'),
    ['mesh.yaml:5:5 authority.stepCa.root: expected the path of a file but got ""'],
  ],
  [
    'a provisioner that is no name',
    GOOD.replace('countersign', '""'),
    [
      'mesh.yaml:6:5 authority.stepCa.provisioner: expected the name of a provisioner, ' +
        'of at most 128 characters but got ""',
    ],
  ],
  [
    'a misspelt key',
    GOOD.replace('provisioner:', 'provisoner:'),
    [
      'mesh.yaml:3:3 authority.stepCa.provisioner: expected the name of a provisioner ' +
        'but got nothing',
      'mesh.yaml:6:5 authority.stepCa.provisoner: unknown key "provisoner" ' +
        '(did you mean "provisioner"?)',
    ],
  ],
  [
    'another CA',
    'trustDomain: shop.example\nauthority: { vault: {} }',
    [
      'mesh.yaml:2:1 authority.stepCa: expected a map of url, root, provisioner and key ' +
        'but got nothing',
      'mesh.yaml:2:14 authority.vault: unknown key "vault"',
    ],
  ],
  [
    'no map',
    'trustDomain: shop.example\nauthority: step-ca',
    ['mesh.yaml:2:1 authority: expected a map with stepCa but got "step-ca"'],
  ],
  [
    'the wrong place',
    'trustDomain: shop.example\nservices: { web: { authority: {} } }',
    [
      'mesh.yaml:2:20 services.web.authority: unknown key "authority"\n' +
        '  hint: authority belongs to a mesh',
    ],
  ],
];

test.each(rows)('%s', (_name, text, problems) => {
  expect(problemsOf(text)).toEqual(problems);
});

test('paths are relative to the file that names them', () => {
  const files = [
    { path: 'conf/mesh/a.yaml', text: 'services: { web: {} }' },
    { path: 'conf/mesh/ca.yaml', text: GOOD.replace('./root_ca.crt', '../root_ca.crt') },
  ];
  expect(parseMesh(files).mesh?.authority).toEqual({
    kind: 'step-ca',
    url: 'https://ca.example:9000',
    rootPath: 'conf/root_ca.crt',
    provisioner: 'countersign',
    keyPath: '/etc/keys/provisioner.jwk',
    source: { file: 'conf/mesh/ca.yaml', line: 3, column: 3 },
  });
  expect(meshOf('trustDomain: shop.example')).not.toHaveProperty('authority');
});

describe('a change is told by the setting that changed', () => {
  const before = meshOf(GOOD).authority;
  const changes: [name: string, text: string | undefined, path: string | undefined][] = [
    ['none', `# a comment\n${GOOD}`, undefined],
    ['the address', toText('https://other.example:9000'), 'authority.stepCa.url'],
    ['the root', GOOD.replace('./root', './new_root'), 'authority.stepCa.root'],
    ['the provisioner', GOOD.replace('countersign', 'other'), 'authority.stepCa.provisioner'],
    ['the key', GOOD.replace('/etc/keys/', '/etc/'), 'authority.stepCa.key'],
    ['all of it', undefined, 'authority'],
  ];
  test.each(changes)('%s', (_name, text, path) => {
    const after = text === undefined ? undefined : meshOf(text).authority;
    expect(changedAuthority(before, after)).toBe(path);
    expect(changedAuthority(after, before)).toBe(path);
  });
});
