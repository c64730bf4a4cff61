// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of compose files.
// Short and long forms of one thing are one thing.
import { describe, expect, test } from 'vitest';
import { toWords } from '../../src/compose/project/words.js';
import { readFolder, readWeb, refusalOf, webOf } from './project-files.js';

describe('ports', () => {
  const rows: readonly [entry: string, ports: string[]][] = [
    ['80', ['80/tcp']],
    ['"80"', ['80/tcp']],
    ['"8080:80"', ['8080:80/tcp']],
    ['"127.0.0.1:8080:80"', ['127.0.0.1|8080:80/tcp']],
    ['"127.0.0.1::80"', ['127.0.0.1|80/tcp']],
    ['"[::1]:8080:80"', ['::1|8080:80/tcp']],
    ['"53:53/udp"', ['53:53/udp']],
    ['"9000-9001"', ['9000/tcp', '9001/tcp']],
    ['"8000-8001:80-81"', ['8000:80/tcp', '8001:81/tcp']],
    ['"8000-8010:80"', ['8000-8010:80/tcp']],
    ['{ target: 80, published: 8080, host_ip: 127.0.0.1, mode: host }', ['127.0.0.1|8080:80/tcp']],
    ['{ target: 80, published: "8000-8010", protocol: udp }', ['8000-8010:80/udp']],
  ];
  test.each(rows)('%s', async (entry, expected) => {
    const { ports } = await readWeb(webOf(`ports: [${entry}]`));
    const shown = ports.map(({ hostIp, published, target, protocol }) => {
      const host = hostIp === undefined ? '' : `${hostIp}|`;
      return `${host}${published === undefined ? '' : `${published}:`}${target}/${protocol}`;
    });
    expect(shown).toEqual(expected);
  });

  test('the long form of each is carried along, with keys that we know nothing of', async () => {
    const { ports } = await readWeb(webOf('ports: [{ target: 80, published: 8080, mode: host }]'));
    expect(ports[0]?.raw).toEqual({ target: 80, published: '8080', mode: 'host', protocol: 'tcp' });
  });

  test.each(['"x:80"', '"80:x"', '"80-70"', '"1-2:1-3"', '"70000"', '{ published: 1 }', '"::::1"'])(
    '%s is none',
    async (entry) => {
      const message = await refusalOf(webOf(`ports: [${entry}]`));
      expect(message).toMatch(/^compose\.yaml:4: services\.web\.ports: expected a port but got /);
    },
  );
});

describe('commands', () => {
  const rows: readonly [text: string, words: string[]][] = [
    ['', []],
    ['npm start', ['npm', 'start']],
    ['python "my app.py" --x=\'a b\'', ['python', 'my app.py', '--x=a b']],
    ['a\\ b c\\"d', ['a b', 'c"d']],
    ['a "" b', ['a', '', 'b']],
    ['npm i && npm start', ['npm', 'i']],
    ['echo "a && b"', ['echo', 'a && b']],
    ['say "no end', ['say "no end']],
  ];
  test.each(rows)('%j is %j, as Compose splits it', (text, words) => {
    expect(toWords(text)).toEqual(words);
  });
});

test('environment, labels, links, networks and dependencies, as list and as map', async () => {
  const asList = webOf(
    'environment: [A=1, "B=x=y", GIVEN, NOT_GIVEN]',
    'labels: [a.b=1, flag]',
    'networks: [front]',
    'depends_on: [db]',
    'extra_hosts: ["host:10.0.0.1"]',
  );
  const asMap = webOf(
    'environment: { A: 1, B: x=y, GIVEN: , NOT_GIVEN: }',
    'labels: { a.b: 1, flag: "" }',
    'networks: { front: }',
    'depends_on: { db: { condition: service_started } }',
    'extra_hosts: { host: 10.0.0.1 }',
  );
  const rest = '\n  db: { image: postgres }\nnetworks: { front: }\n';
  const env = { GIVEN: 'outside' };
  const list = await readWeb(asList + rest, { env });
  const map = await readWeb(asMap + rest, { env });
  expect({ ...map, environmentTexts: list.environmentTexts }).toEqual(list);
  expect(Object.fromEntries(list.environment)).toEqual({ A: '1', B: 'x=y', GIVEN: 'outside' });
  expect(list.extraHosts).toEqual(['host=10.0.0.1']);
});

test('what is said by keys of several kinds', async () => {
  const { services, networks } = await readFolder(`
name: shop
services:
  web:
    build: .
    links: ["db:database", cache]
    healthcheck: { test: curl -f localhost }
    networks: { front: { aliases: [w], ipv4_address: 10.1.2.3 }, back: }
    volumes: [./data:/data, "vol:/x", /anonymous, { type: bind, source: ./y, target: /y }]
    deploy: { replicas: 3 }
    profiles: [debug]
    expose: ["8000-8001", "9000/tcp", 53/udp]
    dns: 8.8.8.8
    privileged: true
  db:
    image: postgres:15
    scale: 2
    network_mode: "service:cache"
    healthcheck: { disable: true, test: x }
  cache: { image: redis, restart: "no", user: "", networks: [back] }
networks:
  front: { driver: bridge }
  back: { internal: true, driver: overlay, name: "other" }
  unused: { external: true }
volumes: { vol: }
`);
  const web = services.get('web');
  expect(Object.fromEntries(web?.links ?? [])).toEqual({ database: 'db', cache: 'cache' });
  expect(web?.dependsOn.get('db')).toBe('service_started');
  expect(web?.healthcheck).toEqual(['curl -f localhost']);
  expect(web?.networks.get('front')).toEqual({ aliases: ['w'], staticAddresses: ['10.1.2.3'] });
  expect(web?.binds.map((path) => path.split('/').at(-1))).toEqual(['data', 'y']);
  expect([web?.replicas, web?.profiles, web?.expose, web?.exposesUdp, web?.isPrivileged]).toEqual([
    ...[3, ['debug'], [8000, 8001, 9000], true, true],
  ]);
  expect([...(web?.otherKeys ?? [])]).toEqual(['deploy', 'dns']);
  const db = services.get('db');
  expect([db?.replicas, db?.networks.size, db?.healthcheck]).toEqual([2, 0, undefined]);
  expect(services.get('cache')?.user).toBeUndefined();
  expect([...services.keys()]).toEqual(['web', 'db', 'cache']);
  expect(Object.fromEntries(networks)).toEqual({
    back: { engineName: 'other', isInternal: true, isExternal: false, driver: 'overlay' },
    front: {
      engineName: '${COMPOSE_PROJECT_NAME}_front',
      isInternal: false,
      isExternal: false,
      driver: undefined,
    },
  });
});
