import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  exampleMesh,
  formatProblem,
  loadMesh,
  parseMesh,
  readMeshFiles,
} from '../../src/policy/index.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-mesh-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const unreadable = (message: string): object =>
  expect.objectContaining({ code: 'mesh-unreadable', message });

test('reads one file, and names it as its user does', () => {
  const path = join(folder, 'mesh.yaml');
  writeFileSync(path, exampleMesh());
  const loaded = loadMesh(path);
  expect(loaded.problems.filter(({ severity }) => severity !== 'note')).toEqual([]);
  expect(loaded.files).toEqual([{ path, text: exampleMesh() }]);
  expect([...(loaded.mesh?.services.keys() ?? [])]).toEqual([
    'legacy-db',
    'payments/ledger',
    'web',
  ]);
});

test('joins the *.yaml of a folder; other and hidden files are not read', () => {
  writeFileSync(join(folder, 'b.yaml'), 'services: { web: { mtls: strict } }');
  writeFileSync(
    join(folder, 'a.yaml'),
    'trustDomain: x\nservices: { web: { ports: { 80: http } } }',
  );
  writeFileSync(join(folder, '.c.yaml'), '[');
  writeFileSync(join(folder, 'd.txt'), '[');
  const { mesh, problems } = loadMesh(folder);
  expect(problems).toEqual([]);
  const [web] = mesh?.services.values() ?? [];
  expect(web?.ports[0]?.modeSource).toEqual({ file: `${folder}/b.yaml`, line: 1, column: 20 });
});

test('what of a folder is not read is told of, where it looks like a mesh', () => {
  writeFileSync(
    join(folder, 'a.yaml'),
    'trustDomain: x\nallow: [{ from: ["*"], methods: [GETT] }]',
  );
  for (const name of ['b.yml', 'c.YAML', '.d.yml', 'e.txt']) writeFileSync(join(folder, name), '[');
  for (const name of ['more', 'keys', '.git']) mkdirSync(join(folder, name));
  for (const name of ['more/f.yml', 'keys/g.pem', '.git/h.yaml']) {
    writeFileSync(join(folder, name), '[');
  }
  symlinkSync(join(folder, 'none'), join(folder, 'dangling.yml'));
  const ENDING = 'warning: not read: expected a name that ends in .yaml\n  hint: rename it to';
  const { mesh, problems } = loadMesh(folder);
  expect(mesh).toBeDefined();
  expect(problems.map(formatProblem)).toEqual([
    `${folder}/a.yaml:2:34 allow[0].methods[0]: warning: "GETT" is an uncommon method (did you ` +
      'mean "GET"?)',
    `${folder}/b.yml:1:1: ${ENDING} b.yaml`,
    `${folder}/c.YAML:1:1: ${ENDING} c.yaml`,
    `${folder}/dangling.yml:1:1: ${ENDING} dangling.yaml`,
    `${folder}/more:1:1: warning: the YAML files in here are not read: expected them directly ` +
      `in the folder\n  hint: move them to ${folder}`,
  ]);
});

test('what is given twice names both places, whatever the order', () => {
  const a = {
    path: 'a.yaml',
    text: 'trustDomain: x\nmtls: strict\nservices: { web: { ports: { 80: http } } }',
  };
  const b = {
    path: 'b.yaml',
    text: 'mtls: strict\nservices: { web: { ports: { 80: { mtls: strict } } } }',
  };
  const expected = [
    'b.yaml:1:1 mtls: expected one place but got it at a.yaml:2:1 too\n' +
      '  hint: only maps of several files are joined: keep one of the two',
    'b.yaml:2:29 services.web.ports.80: expected one place but got it at a.yaml:3:29 too\n' +
      '  hint: only maps of several files are joined: keep one of the two',
  ];
  expect(parseMesh([a, b]).problems.map(formatProblem)).toEqual(expected);
  expect(parseMesh([b, a]).problems.map(formatProblem)).toEqual(expected);
});

test('a file with broken YAML is told of alone: what it declares is not "unknown"', () => {
  const a = { path: 'a.yaml', text: 'trustDomain: x\nallow: [{ from: [web] }]' };
  const b = { path: 'b.yaml', text: 'services: { web: {}' };
  expect(parseMesh([a, b]).problems.map(({ source }) => source.file)).toEqual(['b.yaml']);
});

test('what cannot be read is a MeshError with the path', () => {
  const missing = join(folder, 'none.yaml');
  expect(() => loadMesh(missing)).toThrow(
    unreadable(`expected a mesh file or folder at ${missing} but got nothing at all`),
  );
  expect(() => loadMesh(folder)).toThrow(
    unreadable(`expected *.yaml files in ${folder} but got none`),
  );
  mkdirSync(join(folder, 'x.yaml'));
  expect(() => loadMesh(folder)).toThrow(
    unreadable(`expected a mesh file or folder at ${folder}/x.yaml but got a folder`),
  );
});

test('bytes that are no UTF-8, and files too large, are refused', () => {
  const path = join(folder, 'mesh.yaml');
  writeFileSync(path, Buffer.from([0x61, 0xff]));
  expect(() => loadMesh(path)).toThrow(
    unreadable(`expected UTF-8 text but got other bytes in ${path}`),
  );
  truncateSync(path, 3 * 2_097_152 + 1);
  expect(() => loadMesh(path)).toThrow(
    unreadable(`expected a mesh of at most 2097152 characters but ${path} has more`),
  );
});

test('reads the text alone, also of what is no mesh', () => {
  writeFileSync(join(folder, 'b.yaml'), '[');
  writeFileSync(join(folder, 'a.yaml'), 'x');
  expect(readMeshFiles(folder)).toEqual([
    { path: `${folder}/a.yaml`, text: 'x' },
    { path: `${folder}/b.yaml`, text: '[' },
  ]);
});

test('pipes, sockets and devices are refused at once, also behind links', async () => {
  const pipe = join(folder, 'pipe.yaml');
  execFileSync('mkfifo', [pipe]);
  const link = join(folder, 'link');
  symlinkSync(pipe, link);
  const socket = join(folder, 'socket');
  const listener = createServer();
  await new Promise<void>((done) => listener.listen(socket, done));
  const odd = [
    [pipe, pipe, 'a pipe'],
    [link, link, 'a pipe'],
    [folder, pipe, 'a pipe'],
    [socket, socket, 'a socket'],
    ['/dev/zero', '/dev/zero', 'a device'],
  ] as const;
  for (const [path, named, kind] of odd) {
    const message = `expected a mesh file or folder at ${named} but got ${kind}`;
    expect(() => loadMesh(path)).toThrow(unreadable(message));
  }
  await new Promise((done) => listener.close(done));
});

test('a link to a file is read', () => {
  const path = join(folder, 'real');
  writeFileSync(path, exampleMesh());
  symlinkSync(path, join(folder, 'mesh.yaml'));
  const { mesh, problems } = loadMesh(folder);
  expect(mesh).toBeDefined();
  expect(problems.filter(({ severity }) => severity !== 'note')).toEqual([]);
});
