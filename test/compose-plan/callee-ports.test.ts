// On which ports a service is called: each kind of evidence, and the order between them.
import { describe, expect, test } from 'vitest';
import { leftOutOf, planOf, planServices, portsOf, serviceOf } from './planned.js';

/** What a caller `api` says, and what it says of `db`. */
const CALLERS: readonly [what: string, api: string, port: number][] = [
  ['a URL', 'environment: { DATABASE_URL: "postgres://u:p@db:6000/x" }', 6000],
  ['a URL with a driver', 'environment: { DB: "postgresql+asyncpg://u:p@db:6000/x" }', 6000],
  ['JDBC', 'environment: { JDBC: "jdbc:postgresql://db:6000/x?ssl=no" }', 6000],
  ['JDBC with fields', 'environment: { U: "jdbc:sqlserver://db:6000;databaseName=db" }', 6000],
  ['JDBC of Oracle', 'environment: { U: "jdbc:oracle:thin:@db:6000/XE" }', 6000],
  ['JDBC of Oracle with a service', 'environment: { U: "jdbc:oracle:thin:@//db:6000/XE" }', 6000],
  ['a password with signs', 'environment: { U: "amqp://u:p@ss:w/rd@db:6000//" }', 6000],
  ['a list of hosts', 'environment: { U: "mongodb://other:1,db:6000/x?replicaSet=r" }', 6000],
  ['a list without scheme', 'environment: { KAFKA_BROKERS: "other:1,db:6000" }', 6000],
  ['the default of a scheme', 'environment: { U: "redis://db/0" }', 6379],
  ['a DSN of Go', 'environment: { DSN: "u:p@tcp(db:6000)/x" }', 6000],
  ['a DSN of libpq', 'environment: { DSN: "host=db port=6000 user=u" }', 6000],
  ['a connection string of .NET', 'environment: { C: "Server=x;Host=db;Port=6000;User=u" }', 6000],
  ['a connection string of SQL Server', 'environment: { C: "Server=db,6000;Database=x" }', 6000],
  ['two variables', 'environment: { DB_HOST: db, DB_PORT: "6000" }', 6000],
  ['two variables of another kind', 'environment: { PGHOST: db, PGPORT: 6000 }', 6000],
  ['two variables with dots', 'environment: { spring.db.host: db, spring.db.port: 6000 }', 6000],
  [
    'two variables of Kubernetes',
    'environment: { A_SERVICE_HOST: db, A_SERVICE_PORT: 6000 }',
    6000,
  ],
  ['host and port in one', 'environment: { DB_ADDR: "db:6000" }', 6000],
  ['a flag', 'command: ["--server=db:6000"]', 6000],
  ['a command', 'command: wait-for-it db:6000 -- start', 6000],
  ['an entrypoint', 'entrypoint: ["sh", "-c", "until nc -z db 6000; do sleep 1; done"]', 6000],
  ['a name in capitals', 'environment: { DB_URL: "tcp://DB:6000" }', 6000],
];

describe('a caller says it', () => {
  test.each(CALLERS)('by %s', async (_, api, port) => {
    const plan = await planServices({
      api: `image: x, ${api}`,
      db: 'image: unknown',
      other: 'image: y',
    });
    expect(Object.keys(portsOf(plan, 'db'))).toEqual([String(port)]);
    expect(serviceOf(plan, 'db').ports[0]?.evidence).toMatch(/ of api/);
  });

  test.each([
    ['a version', 'environment: { DB_IMAGE: "db:15", TAG: "db:15" }'],
    ['a user', 'environment: { POSTGRES_USER: db, DB_PASSWORD: "db:77" }'],
    ['a part of a word', 'environment: { URL: "http://mydb:80/ http://db.example:81" }'],
    ['no port of TCP', 'environment: { DB_ADDR: "db:0", OTHER_ADDR: "db:99999" }'],
  ])('not by %s', async (_, api) => {
    const plan = await planServices({ api: `image: x, ${api}`, db: 'image: postgres' });
    expect(portsOf(plan, 'db')).toEqual({ 5432: 'tcp' });
  });
});

const OWN: readonly [what: string, web: string, ports: number[]][] = [
  ['expose', 'image: x, expose: ["81", "83-84"]', [81, 83, 84]],
  ['the container side of ports', 'image: x, ports: ["9999:81", "53:53/tcp"]', [53, 81]],
  [
    'a health check by curl',
    'image: x, healthcheck: { test: "curl -f http://localhost:81/x" }',
    [81],
  ],
  [
    'one by its own name',
    'image: x, healthcheck: { test: ["CMD", "wget", "http://web:81"] }',
    [81],
  ],
  [
    'one without a port',
    'image: x, healthcheck: { test: "curl http://localhost/x || exit 1" }',
    [80],
  ],
  ['one by pg_isready', 'image: x, healthcheck: { test: "pg_isready -U u -p 6000" }', [6000]],
  ['one by netcat', 'image: x, healthcheck: { test: "nc -z localhost 6000" }', [6000]],
  ['one by /dev/tcp', 'image: x, healthcheck: { test: "echo > /dev/tcp/localhost/6000" }', [6000]],
  ['its own variable', 'image: x, environment: { PORT: "81" }', [81]],
  ['a variable with its kind', 'image: x, environment: { SERVER_PORT: 81, DB_PORT: 1 }', [81]],
  ['an address to listen on', 'image: x, environment: { LISTEN_ADDR: ":81" }', [81]],
  ['ASP.NET', 'image: x, environment: { ASPNETCORE_URLS: "http://+:81" }', [81]],
  ['a flag of its command', 'image: x, command: serve --port 8123', [8123]],
  [
    'an address in its command',
    'image: x, command: python manage.py runserver 0.0.0.0:8123',
    [8123],
  ],
  [
    'a label for Traefik',
    'image: x, labels: ["traefik.http.services.w.loadbalancer.server.port=81"]',
    [81],
  ],
  ['VIRTUAL_PORT', 'image: x, environment: { VIRTUAL_HOST: a.example, VIRTUAL_PORT: 81 }', [81]],
  ['its image', 'image: "registry.example:5000/team/postgres:15@sha256:0"', [5432]],
  ['FastCGI by the tag', 'image: "wordpress:6-fpm-alpine"', [9000]],
  ['nothing', 'image: x', []],
];

describe('it says so itself', () => {
  test.each(OWN)('by %s', async (_, web, ports) => {
    const caller = 'image: y, links: [web]';
    const isUnknown = ports.length === 0;
    const plan = await planServices({ web, ...(isUnknown ? {} : { caller }) });
    if (isUnknown) return expect(leftOutOf(plan, 'web').ports).toEqual([]);
    expect(Object.keys(portsOf(plan, 'web')).map(Number)).toEqual(ports);
  });

  test('by its Dockerfile: what it exposes, or the image that it begins with', async () => {
    const files = {
      'compose.yaml':
        'services: { a: { build: a }, b: { build: b }, web: { image: x, links: [a, b] } }',
      'a/Dockerfile': 'FROM node:20\nEXPOSE 4321\n',
      'b/Dockerfile': 'FROM mysql:8\n',
    };
    const plan = await planOf(files);
    expect([portsOf(plan, 'a'), portsOf(plan, 'b')]).toEqual([{ 4321: 'tcp' }, { 3306: 'tcp' }]);
    expect(serviceOf(plan, 'a').ports[0]?.evidence).toMatch(/^EXPOSE in the Dockerfile of a/);
  });

  test('by what an engine knows of its image', async () => {
    const text = 'services: { a: { image: x }, web: { image: y, links: [a] } }';
    const plan = await planOf(text, { exposed: new Map([['x', [4321]]]) });
    expect(portsOf(plan, 'a')).toEqual({ 4321: 'tcp' });
  });
});

describe('the order', () => {
  test('what callers and the service say counts together, and the first names it', async () => {
    const plan = await planServices({
      api: 'image: x, environment: { URL: "http://web:81" }',
      web: 'image: nginx, ports: ["81:81", "82:82"], environment: { PORT: "83" }',
    });
    expect(serviceOf(plan, 'web').ports.map(({ number, evidence }) => [number, evidence])).toEqual([
      [81, 'URL of api'],
      [82, expect.stringMatching(/^ports of web/)],
    ]);
  });

  test('a name without a port means the usual one beside others that are published', async () => {
    const plan = await planServices({
      api: 'image: x, environment: { RABBIT_HOST: queue }',
      queue: 'image: "rabbitmq:management", ports: ["15672:15672"]',
    });
    expect(portsOf(plan, 'queue')).toEqual({ 5672: 'tcp', 15672: 'http' });
  });

  test('but not where the service itself says another', async () => {
    const plan = await planServices({
      api: 'image: x, environment: { REDIS_HOST: cache }',
      cache: 'image: redis, command: redis-server --port 7777',
    });
    expect(portsOf(plan, 'cache')).toEqual({ 7777: 'tcp' });
  });

  test('settings stand alone, beside what is published', async () => {
    const plan = await planServices({
      api: 'image: x, environment: { URL: "http://web:81" }',
      web: 'image: nginx, ports: ["82:82"], x-countersign: { ports: { "90": grpc } }',
    });
    expect(portsOf(plan, 'web')).toEqual({ 82: 'tcp', 90: 'grpc' });
  });

  test('its own variable counts, though nobody names it, and a job has no usual port', async () => {
    const plan = await planServices({
      web: 'image: x, environment: { PORT: "81" }',
      topics: 'image: mysql, command: ["sh", "-c", "chown x"], restart: "no", depends_on: [web]',
    });
    expect([portsOf(plan, 'web'), portsOf(plan, 'topics')]).toEqual([{ 81: 'http' }, {}]);
  });
});
