import { expect, test } from 'vitest';
import { type Addition, trySplice } from '../../src/compose/write/yaml-splice.js';

const SERVICE: Addition = {
  path: ['services'],
  lines: ['', '# new', 'db:', '  ports:', '    5432: tcp'],
  flow: 'db: { ports: { 5432: tcp } }',
};
const PORT: Addition = {
  path: ['services', 'web', 'ports'],
  lines: ['# new', '9090: grpc'],
  flow: '9090: grpc',
};

const PORTS_OF_NOTHING: Addition = {
  path: ['services', 'web'],
  lines: ['ports:', '  80: http'],
  flow: 'ports: { 80: http }',
};

const CASES: readonly [string, string, Addition, string][] = [
  [
    'after the last service, with the comment at its end',
    'services:\n  web: {} # last\n\n# the end\n',
    SERVICE,
    'services:\n  web: {} # last\n\n  # new\n  db:\n    ports:\n      5432: tcp\n\n# the end\n',
  ],
  [
    "before what follows the map, in the map's own indentation",
    'services:\n    web:\n      ports:\n        80: http\nmtls: strict\n',
    SERVICE,
    'services:\n    web:\n      ports:\n        80: http\n\n    # new\n    db:\n' +
      '      ports:\n        5432: tcp\nmtls: strict\n',
  ],
  [
    'where the map has nothing yet',
    'services:\n',
    SERVICE,
    'services:\n\n  # new\n  db:\n    ports:\n      5432: tcp\n',
  ],
  [
    'where the file has no end of line',
    'services:\n  web:',
    PORTS_OF_NOTHING,
    'services:\n  web:\n    ports:\n      80: http',
  ],
  [
    'a port of a block',
    'services:\n  web:\n    ports:\n      80: http   # front\n  api: {}\n',
    PORT,
    'services:\n  web:\n    ports:\n      80: http   # front\n      # new\n' +
      '      9090: grpc\n  api: {}\n',
  ],
  [
    'a port in flow style',
    'services:\n  web: { ports: { 80: http } }\n',
    PORT,
    'services:\n  web: { ports: { 80: http, 9090: grpc } }\n',
  ],
  [
    'a service in flow style',
    'services: {}\n',
    SERVICE,
    'services: { db: { ports: { 5432: tcp } } }\n',
  ],
  [
    'lines that end as on Windows',
    'services:\r\n  web:\r\n    ports:\r\n      80: http\r\n',
    PORT,
    'services:\r\n  web:\r\n    ports:\r\n      80: http\r\n      # new\r\n      9090: grpc\r\n',
  ],
  [
    'after a sequence of maps',
    'services:\n  web:\n    allow:\n      - from: [a]\n        paths: [/x]\n# end\n',
    SERVICE,
    'services:\n  web:\n    allow:\n      - from: [a]\n        paths: [/x]\n\n' +
      '  # new\n  db:\n    ports:\n      5432: tcp\n# end\n',
  ],
  [
    'after text of several lines',
    'services:\n  web:\n    note: |\n      one\n      two\nmtls: strict\n',
    SERVICE,
    'services:\n  web:\n    note: |\n      one\n      two\n\n  # new\n  db:\n' +
      '    ports:\n      5432: tcp\nmtls: strict\n',
  ],
];

test.each(CASES)('every other byte stays: %s', (_, before, addition, after) => {
  expect(trySplice(before, addition)).toBe(after);
});

test.each<[string, string, Addition]>([
  ['a map that an alias stands for', 'a: &a { 80: http }\nservices:\n  web: { ports: *a }\n', PORT],
  ['no such service', 'services:\n  api: {}\n', PORT],
  ['what is no map', 'services:\n  web: { ports: 80 }\n', PORT],
  ['a file that is no YAML', 'services: [', SERVICE],
])('%s is left alone', (_, before, addition) => {
  expect(trySplice(before, addition)).toBeUndefined();
});
