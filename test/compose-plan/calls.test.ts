// Who may call whom, by which names.
import { expect, test } from 'vitest';
import { callsOf, planOf, planServices, serviceOf } from './planned.js';

test('variables, commands, links and dependencies are evidence, in that order', async () => {
  const plan = await planServices({
    web:
      'image: x, environment: { A_URL: "http://a:80" }, ' +
      'command: ["--b=http://b:80"], links: [c], ' +
      'depends_on: [a, d]',
    ...{ a: 'image: nginx', b: 'image: nginx', c: 'image: nginx', d: 'image: nginx' },
    e: 'image: nginx',
  });
  expect(callsOf(plan, 'web')).toEqual({
    a: 'A_URL of web',
    b: 'command of web',
    c: 'links of web',
    d: 'depends_on of web',
    e: undefined,
  });
  expect(serviceOf(plan, 'web').calls.at(-1)?.callee).toBe('e');
});

test('nobody calls itself, nor who has no port', async () => {
  const plan = await planServices({
    web: 'image: nginx, environment: { SELF: "http://web:80" }',
    worker: 'image: x, depends_on: [web]',
  });
  expect([callsOf(plan, 'web'), callsOf(plan, 'worker')]).toEqual([
    {},
    { web: 'depends_on of worker' },
  ]);
});

test('no edge goes where no common network is, and it is said', async () => {
  const plan = await planServices(
    {
      web: 'image: nginx, networks: [front], environment: { DB_HOST: db }, depends_on: [db]',
      db: 'image: x, expose: ["5432"], networks: [back]',
      api: 'image: x, networks: [front, back], ports: ["80:80"]',
    },
    'networks: { front: , back: }',
  );
  expect(Object.keys(callsOf(plan, 'web'))).toEqual(['api']);
  expect(Object.keys(callsOf(plan, 'db'))).toEqual(['api']);
  expect(serviceOf(plan, 'web').remarks).toContain(
    'DB_HOST of web names db, with which it shares no network: none is bridged for it.',
  );
});

test('container names, hostnames, aliases and links are names too', async () => {
  const plan = await planOf(`
services:
  web:
    image: x
    environment: { A: "http://shop-a:80", B: "http://host-b:80", C: "http://also-c:80" }
    command: ["http://dd:80"]
    links: ["d:dd"]
  a: { image: x, container_name: Shop-A }
  b: { image: x, hostname: host-b }
  c: { image: x, networks: { default: { aliases: [also-c] } } }
  d: { image: x }
`);
  expect(Object.keys(callsOf(plan, 'web'))).toEqual(['a', 'b', 'c', 'd']);
  expect(Object.fromEntries(serviceOf(plan, 'web').ownNames)).toEqual({ dd: 'd' });
  expect(serviceOf(plan, 'a').networks).toEqual([
    { name: 'default', isInternal: false, names: ['a', 'shop-a'], staticAddresses: [] },
  ]);
});

test('a configuration that it mounts names others, and their ports', async () => {
  const plan = await planOf({
    'compose.yaml': `
services:
  web:
    image: nginx
    ports: ["80:80"]
    volumes: ["./nginx.conf:/etc/nginx/nginx.conf:ro", "./conf.d:/etc/nginx/conf.d", ".:/src"]
  api: { build: . }
  stock: { build: . }
  other: { build: ., expose: ["1"] }
`,
    'nginx.conf': 'upstream u { server api:3500 weight=2; }\nlocation / { proxy_pass http://u; }',
    'conf.d/a.conf': 'proxy_pass http://stock/;\n',
    'conf.d/notes.txt': 'http://other:77/',
    'own.conf': 'http://other:78/',
  });
  expect(callsOf(plan, 'web')).toEqual({
    api: 'nginx.conf of web',
    stock: 'a.conf of web',
    other: undefined,
  });
  expect(serviceOf(plan, 'api').ports).toMatchObject([{ number: 3500, protocol: 'tcp' }]);
  expect(serviceOf(plan, 'stock').ports).toMatchObject([{ number: 80, protocol: 'http' }]);
});

test('an alias is a name on its network alone', async () => {
  const plan = await planOf(`
services:
  web: { image: x, expose: ["80"], networks: [one], environment: { U: "http://alias:80" } }
  a: { image: x, networks: { one: , two: { aliases: [alias] } } }
networks: { one: , two: }
`);
  expect(callsOf(plan, 'web')).toEqual({});
});

test('calls may be named in settings; who is left out is called all the same', async () => {
  const plan = await planServices({
    web: 'image: nginx, x-countersign: { calls: [old] }',
    old: 'image: mysql, x-countersign: false',
  });
  expect(callsOf(plan, 'web')).toEqual({ old: 'x-countersign' });
});

test('databases, caches and brokers call whom something of their own names', async () => {
  const plan = await planOf({
    'compose.yaml': `
services:
  db: { image: postgres, env_file: team.env, environment: { API_HOST: api } }
  cache: { image: redis, env_file: team.env, links: [api] }
  queue: { image: rabbitmq, env_file: team.env, environment: { AUTH_URL: "http://api:80" } }
  api: { image: nginx }
`,
    'team.env': 'DB_HOST=db\nQUEUE_HOST=queue\n',
  });
  expect(callsOf(plan, 'db')).toEqual({});
  expect(callsOf(plan, 'cache')).toEqual({ api: 'links of cache' });
  expect(callsOf(plan, 'queue')).toEqual({ api: 'AUTH_URL of queue' });
  expect(Object.keys(callsOf(plan, 'api'))).toEqual(['db', 'cache', 'queue']);
});

test('a host of a URL that is no service is said without its name', async () => {
  const plan = await planServices({ web: 'image: nginx, environment: { U: "redis://hidden:1" }' });
  const { remarks } = serviceOf(plan, 'web');
  expect(remarks).toEqual([
    'U of web names a host that is no service here: it is called outside the mesh.',
  ]);
});
