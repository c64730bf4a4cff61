// Who stays without a sidecar, why, and what to do about it.
import { describe, expect, test } from 'vitest';
import { leftOutOf, planOf, planServices, serviceOf } from './planned.js';

const ROWS: readonly [reason: string, web: string, rest?: Record<string, string>][] = [
  ['the compose file says so', 'image: x, x-countersign: false'],
  ['the compose file says so', 'image: x, labels: [countersign.enable=false]'],
  ['it has no container', 'provider: { type: cloud }'],
  ['host network', 'image: x, network_mode: host'],
  ['no network', 'image: x, network_mode: none'],
  ['it borrows the network of vpn', 'image: x, network_mode: "service:vpn"', { vpn: 'image: y' }],
  ['it borrows the network of other', 'image: x, network_mode: "container:other"'],
  ['it lends its network to b', 'image: x', { b: 'image: y, network_mode: "service:web"' }],
  ['network mode bridge', 'image: x, network_mode: bridge'],
  ['privileged', 'image: x, privileged: true'],
  ['capability NET_ADMIN', 'image: x, cap_add: [net_admin]'],
  ['capability ALL', 'image: x, cap_add: [ALL]'],
  ['UDP port 53', 'image: x, ports: ["53:53/udp", "53:53"]'],
  ['UDP ports', 'image: x, expose: ["8125/udp"]'],
  ['a registry that hands out addresses', 'image: consul'],
  [
    'it finds others, and is found, by eureka',
    'image: x, depends_on: [eureka]',
    { eureka: 'build: e' },
  ],
  ['Spark hands out addresses', 'image: "bitnami/spark:3"'],
  ['the Redis cluster hands out addresses', 'image: bitnami/redis-cluster'],
  [
    'the members of the Redis cluster hand out addresses',
    'image: redis, command: redis-server --cluster-enabled yes',
  ],
  [
    'the members of the replica set hand out addresses',
    'image: mongo, command: mongod --replSet r',
    { b: 'image: mongo, command: mongod --replSet r' },
  ],
  [
    'the members of the ZooKeeper ensemble hand out addresses',
    'image: zookeeper, environment: { ZOO_SERVERS: "server.1=web:2888:3888" }',
    { b: 'image: zookeeper' },
  ],
  ['Kafka advertises addresses that are not its own names', 'image: apache/kafka'],
  [
    'Kafka advertises addresses that are not its own names',
    'image: bitnami/kafka, environment: { KAFKA_CFG_ADVERTISED_LISTENERS: "P://10.0.0.1:9092" }',
  ],
  [
    'it dials containers at addresses that Docker tells it',
    'image: "traefik:v3", volumes: ["/var/run/docker.sock:/var/run/docker.sock:ro"]',
  ],
  ['nothing says on which port it is called', 'build: .', { a: 'image: y, depends_on: [web]' }],
  ['nothing says on which port it is called', 'build: .', { a: 'image: y, links: [web]' }],
  [
    'nothing says on which port it is called',
    'build: .',
    { a: 'image: y, environment: { API_HOST: web }' },
  ],
  [
    "it runs as the sidecar's user 10001",
    'image: x, user: "10001:1", x-countersign: { capture: transparent }',
  ],
  ['nothing says on which port it is called', 'image: x'],
  ['nothing says on which port it is called', 'image: x, depends_on: [b]', { b: 'image: mysql' }],
  ['Flink hands out addresses', 'image: x, command: taskmanager'],
  [
    'it finds others, and is found, by registry',
    'image: x, expose: ["80"]',
    { registry: 'image: y, expose: ["8761"]' },
  ],
  [
    'the members of the search cluster hand out addresses',
    'image: elasticsearch',
    { b: 'image: elasticsearch' },
  ],
  [
    'the members of the Temporal cluster hand out addresses',
    'image: temporalio/server, environment: { SERVICES: history }',
    { b: 'image: temporalio/server, environment: { SERVICES: frontend }' },
  ],
  [
    'the members of the ring hand out addresses',
    'image: grafana/loki',
    { b: 'image: grafana/loki' },
  ],
  [
    'Kafka advertises addresses that are not its own names',
    'build: ., environment: { KAFKA_ADVERTISED_HOST_NAME: 10.0.0.1 }',
  ],
  ['70 ports', 'image: x, ports: ["7000-7069:7000-7069"]'],
];

test.each(ROWS)('%s: %s', async (reason, web, rest = {}) => {
  const found = leftOutOf(await planServices({ web, ...rest }), 'web');
  expect(found.reason).toBe(reason);
  expect(found.hint).not.toBe('');
});

test('a static address, who dials it, and a network of another driver', async () => {
  const plan = await planOf(`
services:
  a: { image: postgres, networks: { lan: { ipv4_address: 10.9.0.5 } } }
  b: { image: x, networks: [lan], environment: { DB_HOST: 10.9.0.5 } }
  c: { image: x, networks: [far] }
  d:
    image: x
    networks: { lan: { ipv4_address: 10.9.0.6 } }
    x-countersign: { capture: transparent }
networks: { lan: , far: { driver: macvlan } }
`);
  expect(leftOutOf(plan, 'a').reason).toBe('static address');
  expect(leftOutOf(plan, 'b').reason).toBe('it calls a at a fixed address');
  expect(leftOutOf(plan, 'c').reason).toBe('network far of driver macvlan');
  expect(serviceOf(plan, 'd').shape).toBe('holder');
});

test('who calls containers of other projects', async () => {
  const plan = await planOf(`
services:
  a: { image: nginx, networks: [out], environment: { DB_HOST: shared } }
  b: { image: nginx, networks: [out], command: ["--url=redis://shared:1"] }
  c: { image: nginx, external_links: [other] }
  d:
    image: nginx
    networks: [out]
    environment: { DB_HOST: shared }
    x-countersign: { capture: transparent }
  e: { image: nginx, networks: [out], environment: { NODE_ENV: production, DB_HOST: a } }
  f: { image: nginx, environment: { URL: "http://[fd00::10]:5000", DB_HOST: shared } }
networks: { out: { external: true } }
`);
  expect(leftOutOf(plan, 'a').reason).toBe(
    'DB_HOST of a names a host of another project, on the external network out',
  );
  expect(leftOutOf(plan, 'b').reason).toMatch(/^command of b names a host of another project/);
  expect(leftOutOf(plan, 'c').reason).toBe('it has external_links');
  expect(serviceOf(plan, 'd').remarks).not.toContainEqual(expect.stringMatching(/other projects/));
  expect(serviceOf(plan, 'e').remarks[0]).toMatch(/no longer reaches .* on the network out/);
  expect(serviceOf(plan, 'f').remarks).toEqual([]);
});

test('who dials a fixed address of IPv6', async () => {
  const plan = await planOf(`
services:
  a: { image: nginx, networks: [lan], environment: { URL: "http://[fd00::10]:5000/x" } }
  b: { image: nginx, networks: { lan: { ipv6_address: "fd00::10" } } }
networks: { lan: }
`);
  expect(leftOutOf(plan, 'a').reason).toBe('it calls b at a fixed address');
});

const MESHED: readonly [what: string, web: string, rest?: Record<string, string>][] = [
  [
    'UDP behind a holder',
    'image: x, ports: ["53:53/udp"], x-countersign: { capture: transparent }',
  ],
  [
    'Kafka that advertises its own name',
    'image: bitnami/kafka, environment: ' +
      '{ KAFKA_CFG_ADVERTISED_LISTENERS: "IN://web:9092,OUT://localhost:29092" }',
  ],
  [
    'Kafka that advertises its hostname',
    'image: apache/kafka, hostname: k, environment: { KAFKA_ADVERTISED_LISTENERS: "P://k:9092" }',
  ],
  [
    'what only looks at Kafka',
    'image: provectuslabs/kafka-ui, environment: { X: "PLAINTEXT://o:1" }',
  ],
  ['one ZooKeeper', 'image: zookeeper'],
  ['one Elasticsearch', 'image: elasticsearch, environment: { discovery.type: single-node }'],
  ['one MongoDB', 'image: mongo, command: mongod --replSet r'],
  ['one Cassandra', 'image: cassandra, environment: { CASSANDRA_CLUSTER_NAME: x }'],
  ['two Redis servers without a cluster', 'image: redis', { b: 'image: redis' }],
  [
    'who registers its own name',
    'image: nginx, depends_on: [eureka], environment: { EUREKA_INSTANCE_HOSTNAME: web }',
    { eureka: 'image: e' },
  ],
  [
    'who only looks at the Docker socket',
    'image: portainer/portainer-ce, volumes: ["/var/run/docker.sock:/var/run/docker.sock"]',
  ],
  ['a proxy without the Docker socket', 'image: traefik, ports: ["80:80"]'],
  ["the sidecar's user in front", 'image: x, expose: ["80"], user: "10001"'],
  [
    'a worker that others only start after',
    'image: x, command: celery worker',
    { a: 'image: y, depends_on: [web]' },
  ],
  [
    'who is called by nobody, and calls',
    'image: x, environment: { DB_HOST: db }',
    { db: 'image: mysql' },
  ],
  ['a terminal', 'image: x, tty: true'],
  [
    'one of the same image as a service with ports',
    'image: x',
    { b: 'image: x, ports: ["80:80"]' },
  ],
  ['who is said to be fronted', 'image: consul, x-countersign: { capture: fronted }'],
];

test.each(MESHED)('%s is meshed', async (_, web, rest = {}) => {
  expect(serviceOf(await planServices({ web, ...rest }), 'web').compose).toBe('web');
});

describe('how its callers reach it', () => {
  const direct = async (web: string): Promise<[boolean, string | undefined, number[]]> => {
    const plan = await planServices({ web, a: 'image: y, links: [web]' });
    const { isDirect, name, ports } = leftOutOf(plan, 'web');
    return [isDirect, name, ports.map(({ number }) => number)];
  };

  test('through their sidecars, where its ports are known', async () => {
    expect(await direct('image: mysql, privileged: true')).toEqual([false, 'web', [3306]]);
  });

  test('directly: UDP, addresses that are handed out, ports that nobody knows', async () => {
    expect(await direct('image: x, ports: ["53:53/udp"]')).toEqual([true, undefined, []]);
    expect(await direct('image: "bitnami/spark:3", expose: ["7077"]')).toEqual([
      ...[true, 'web', [7077]],
    ]);
    expect(await direct('image: x')).toEqual([true, undefined, []]);
  });

  test('they may call it, whatever is known of its ports', async () => {
    const plan = await planServices({
      web: 'image: x',
      a: 'image: y, expose: ["80"], links: [web]',
    });
    expect(serviceOf(plan, 'a').calls).toEqual([{ callee: 'web', evidence: 'links of a' }]);
  });
});
