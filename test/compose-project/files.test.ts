// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of compose files.
// Several files as one project: found, merged, extended, included; and what is refused.
import { describe, expect, test } from 'vitest';
import { readProject } from '../../src/compose/project/index.js';
import { readFolder, readWeb, refusalOf, webOf } from './project-files.js';

describe('which files', () => {
  test('a folder stands for its file and the override beside it', async () => {
    const web = await readWeb({
      'docker-compose.yml': webOf('user: "1"', 'ports: ["80:80"]'),
      'docker-compose.override.yml': webOf('user: "2"', 'ports: ["81:81"]'),
    });
    expect([web.user, web.ports.length]).toEqual(['2', 2]);
  });

  test('compose.yaml goes before docker-compose.yml', async () => {
    const files = { 'compose.yaml': webOf('user: "1"'), 'docker-compose.yml': webOf('user: "2"') };
    expect((await readWeb(files)).user).toBe('1');
  });

  test('named ones alone are read, and a folder without any is refused', async () => {
    const files = { 'a.yml': webOf('user: "1"'), 'compose.override.yml': webOf('user: "2"') };
    expect((await readWeb(files, { read: ['a.yml'] })).user).toBe('1');
    expect(await refusalOf(files)).toBe('there is no compose file in .');
    expect(await refusalOf(files, { read: ['b.yml'] })).toBe(
      'cannot read b.yml: there is no such file',
    );
    expect(await refusalOf({ 'x/y': '' }, { read: ['x/compose.yml'] })).toMatch(/no such file/);
  });

  test('what Compose printed is read from standard input, with its service settings', async () => {
    const printed =
      'name: shop\nservices:\n  web:\n    image: x\n    command: [a, "$$b"]\n' +
      '    labels: { rule: "a$$b" }\n    x-countersign: { name: front }\n';
    const { project, readBy } = await readProject({
      files: ['-'],
      cwd: '/',
      env: {},
      readInput: async () => printed,
    });
    const web = project.services.get('web');
    expect([readBy, project.name, web?.command]).toEqual(['standard input', 'shop', ['a', '$b']]);
    expect(web?.settings).toEqual({ name: 'front' });
    expect([web?.labels.get('rule'), web?.labelTexts.get('rule')]).toEqual(['a$b', 'a$$b']);
  });
});

describe('the name of the project', () => {
  const named = `name: "\${NAME:-Shop}"\n${webOf()}`;
  test.each([
    [named, {}, 'shop'],
    [named, { NAME: 'Other.One' }, 'otherone'],
    [named, { COMPOSE_PROJECT_NAME: 'given' }, 'given'],
  ])('%#', async (text, env, name) => {
    expect((await readFolder(text, { env })).name).toBe(name);
  });

  test('without any it is the folder', async () => {
    expect((await readFolder(webOf())).name).toMatch(/^countersign-project-/);
  });
});

describe('variables', () => {
  test('the environment goes before .env, and --env-file stands in its place', async () => {
    const files = {
      'compose.yaml': webOf('command: ["$A", "$B", "$C"]'),
      '.env': 'A=dotenv\nB=dotenv\n',
      'other.env': 'A=other\n',
    };
    const env = { A: 'outside' };
    expect((await readWeb(files, { env })).command).toEqual(['outside', 'dotenv', '']);
    const other = await readWeb(files, { envFiles: ['other.env'] });
    expect(other.command).toEqual(['other', '', '']);
  });

  test('those that nobody sets are listed; a required one is refused with its place', async () => {
    const project = await readFolder(webOf('command: ["$A", "${B-}", "${C}"]'));
    expect(project.unsetVariables).toEqual(['A', 'C']);
    expect(await refusalOf(webOf('command: [a, "${A:?set A}"]'))).toBe(
      'compose.yaml:4: services.web.command.[1]: required variable A is missing a value: set A',
    );
    expect(await refusalOf(webOf('command: "${A"'))).toBe(
      'compose.yaml:4: services.web.command: a "${" has no end',
    );
  });

  test('env_file: the later wins, environment wins over both, and one may be missing', async () => {
    const web = await readWeb(
      {
        'compose.yaml': webOf(
          'environment: { C: own }',
          'env_file: [a.env, { path: b.env }, { path: none.env, required: false }]',
        ),
        'a.env': 'A=a\nB=a\nC=a\n',
        'b.env': 'B=$C-$D\n',
      },
      { env: { D: 'outside' } },
    );
    expect(Object.fromEntries(web.environment)).toEqual({ A: 'a', B: 'own-outside', C: 'own' });
    expect([...web.environmentTexts.keys()]).toEqual(['C']);
    expect(await refusalOf(webOf('env_file: none.env'))).toBe(
      'cannot read none.env: there is no such file',
    );
  });
});

describe('texts as they were written', () => {
  test('labels and variables stay as their author wrote them beside their values', async () => {
    const web = await readWeb(webOf('labels: { a: "Host(`$D`)" }', 'environment: { V: "$D$$" }'), {
      env: { D: 'shop.example' },
    });
    expect([web.labels.get('a'), web.labelTexts.get('a')]).toEqual([
      'Host(`shop.example`)',
      'Host(`$D`)',
    ]);
    expect([web.environment.get('V'), web.environmentTexts.get('V')]).toEqual([
      'shop.example$',
      '$D$$',
    ]);
  });

  test('ports with variables stay as they were written, where each is one port', async () => {
    const web = await readWeb(
      webOf('ports: ["${IP:-127.0.0.1}:${P:-8080}:80", "$A:81", "$R:82-83", "84:84"]'),
      {
        env: { A: '9', R: '1-2' },
      },
    );
    expect(web.ports.map(({ raw }) => (typeof raw === 'string' ? raw : 'long'))).toEqual([
      '${IP:-127.0.0.1}:${P:-8080}:80',
      '$A:81',
      ...['long', 'long', 'long'],
    ]);
    expect(web.ports[0]).toMatchObject({ hostIp: '127.0.0.1', published: '8080', target: 80 });
  });
});

describe('one file over another', () => {
  const over = async (a: string[], b: string[]): Promise<Awaited<ReturnType<typeof readWeb>>> =>
    readWeb(
      { 'a.yml': webOf(...a), 'b.yml': `${webOf(...b)}\nvolumes: { vol: }\n` },
      { read: ['a.yml', 'b.yml'] },
    );

  test('maps are merged, lists joined, commands replaced', async () => {
    const web = await over(
      ['command: [a]', 'environment: { A: 1, B: 1 }', 'ports: ["80:80"]', 'cap_add: [X]'],
      ['command: b c', 'environment: [B=2]', 'ports: ["80:80", "81:81"]', 'cap_add: [X, Y]'],
    );
    expect(web.command).toEqual(['b', 'c']);
    expect(Object.fromEntries(web.environment)).toEqual({ A: '1', B: '2' });
    expect(web.ports.map(({ target }) => target)).toEqual([80, 81]);
    expect(web.capAdd).toEqual(['X', 'Y']);
  });

  test('a mount takes the place of the one at its path', async () => {
    const web = await over(['volumes: ["./a:/data"]'], ['volumes: ["vol:/data"]']);
    expect(web.binds).toEqual([]);
  });

  test('paths of Windows stay as they are', async () => {
    const web = await readWeb(webOf("volumes: ['C:\\docker:/x']"));
    expect(web.binds).toEqual(['C:\\docker']);
  });

  test('!reset takes back and !override replaces', async () => {
    const a = ['ports: ["80:80"]', 'environment: { A: 1, B: 1 }', 'expose: ["1"]'];
    const b = [
      'ports: !override ["81:81"]',
      'environment: { A: !reset null }',
      'expose: !reset []',
    ];
    const web = await over(a, b);
    expect(web.ports.map(({ target }) => target)).toEqual([81]);
    expect(Object.fromEntries(web.environment)).toEqual({ B: '1' });
    expect(web.expose).toEqual([]);
  });

  test('forms that do not fit are refused', async () => {
    const files = { 'a.yml': webOf('deploy: { replicas: 1 }'), 'b.yml': webOf('deploy: [1]') };
    expect(await refusalOf(files, { read: ['a.yml', 'b.yml'] })).toMatch(/expected a map at/);
  });

  test('several documents of one file are several files', async () => {
    const web = await readWeb(`${webOf('user: "1"')}\n---\n${webOf('user: "2"')}\n`);
    expect(web.user).toBe('2');
  });
});

describe('anchors, extends and include', () => {
  test('anchors and merge keys: what stands there wins, then the first of a list', async () => {
    const web = await readWeb(`
x-a: &a { user: "1", hostname: a, restart: always }
x-b: &b { user: "2", hostname: b, tty: true }
services:
  web: { <<: [*a, *b], image: x, hostname: own }
`);
    expect([web.user, web.hostname, web.restart]).toEqual(['1', 'own', 'always']);
    expect([...web.otherKeys]).toEqual(['tty']);
  });

  test('extends: of its file, of another, in chains; paths follow their file', async () => {
    const web = await readWeb({
      'compose.yaml': `
services:
  base:
    image: x
    environment: { A: base, B: base }
    extends: { file: sub/other.yml, service: root }
  web: { extends: base, environment: [B=own] }
`,
      'sub/other.yml': 'services: { root: { image: y, env_file: root.env, volumes: [./d:/d] } }',
      'sub/root.env': 'A=file\nC=file\n',
    });
    expect(web.image).toBe('x');
    expect(Object.fromEntries(web.environment)).toEqual({ A: 'base', B: 'own', C: 'file' });
    expect(web.binds[0]).toMatch(/\/sub\/d$/);
  });

  test('extends in a circle, or of nobody, is refused', async () => {
    const circle = 'services: { web: { extends: b, image: x }, b: { extends: web } }';
    expect(await refusalOf(circle)).toMatch(/expected an end of extends but got a circle/);
    expect(await refusalOf(webOf('extends: none'))).toBe(
      'compose.yaml: service "web" extends "none", which isn\'t there',
    );
    const other = {
      'compose.yaml': webOf('extends: { file: b.yml, service: x }'),
      'b.yml': 'a: 1',
    };
    expect(await refusalOf(other)).toMatch(/b\.yml: expected services but got none to extend/);
  });

  test('include: with a folder and variables of its own; what the file says wins', async () => {
    const { services } = await readFolder({
      'compose.yaml': `include: [sub/compose.yml]\n${webOf('depends_on: [db]')}`,
      'sub/compose.yml':
        'services: { db: { image: "x:$TAG", volumes: [./d:/d] }, web: { image: y, user: "3" } }',
      'sub/.env': 'TAG=7\n',
    });
    expect(services.get('db')?.image).toBe('x:7');
    expect(services.get('db')?.binds[0]).toMatch(/\/sub\/d$/);
    expect([services.get('web')?.image, services.get('web')?.user]).toEqual(['example/web', '3']);
  });

  test('include in a circle is refused', async () => {
    const files = { 'compose.yaml': 'include: [b.yml]', 'b.yml': 'include: [compose.yaml]' };
    expect(await refusalOf(files)).toMatch(/expected an end of include but got a circle/);
  });
});

describe('Dockerfiles', () => {
  const build = 'services: { web: { build: { context: app, target: run } } }';
  test('the image and the ports of the stage that is built', async () => {
    const web = await readWeb({
      'compose.yaml': build,
      'app/Dockerfile':
        'FROM --platform=x node:20 AS make\nEXPOSE 1\nFROM nginx:1.27 as base\nEXPOSE 80 53/udp\n' +
        'FROM base AS run\nEXPOSE \\\n  8080\nFROM scratch AS other\nEXPOSE 9\n',
    });
    expect(web.dockerfile).toEqual({ from: 'nginx:1.27', exposed: [8080, 80] });
  });

  test('ports that it sets as variables', async () => {
    const text =
      'ARG BASE=node:20\nFROM ${BASE}\nENV PORT=5005 OTHER=1\nENV OLD 77\nEXPOSE $PORT ${OLD}\n';
    const web = await readWeb({ 'compose.yaml': webOf('build: .'), Dockerfile: text });
    expect(web.dockerfile).toEqual({ from: 'node:20', exposed: [5005, 77] });
  });

  test('what one service builds, others of that image run', async () => {
    const { services } = await readFolder({
      'compose.yaml': 'services: { web: { image: own, build: . }, b: { image: own } }',
      Dockerfile: 'FROM nginx\n',
    });
    expect(services.get('b')?.dockerfile).toEqual({ from: 'nginx', exposed: [] });
  });

  test('one that is missing, or begins with a variable, says nothing', async () => {
    expect((await readWeb(build)).dockerfile).toBeUndefined();
    const files = { 'compose.yaml': build, 'app/Dockerfile': 'FROM ${BASE}\nEXPOSE $NONE\n' };
    expect((await readWeb(files)).dockerfile).toEqual({ from: undefined, exposed: [] });
  });
});
