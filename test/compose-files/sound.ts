// What holds of the result for any compose file: nobody is forgotten, each edge leads somewhere, no
// network is bridged, nothing secret is written, and a second run changes nothing.
import { expect } from 'vitest';
import { parse } from 'yaml';
import { parseMesh } from '../../src/policy/index.js';
import type { Generated } from './generate.js';

/** All that is secret in the corpus begins so. */
const SECRET = /s3cret/;

export function expectSound(result: Generated): void {
  const { plan, project, mesh, override, again } = result;
  const all = [...plan.services, ...plan.leftOut].map(({ compose }) => compose);
  expect(all.sort()).toEqual([...project.services.keys()].sort());
  expectEdges(result);
  if (mesh === undefined || override === undefined) {
    expect(plan.services).toEqual([]);
    return;
  }
  expectReachable(result);
  expectDistinct(result);
  const { problems } = parseMesh([{ path: 'mesh.yaml', text: mesh }]);
  expect(problems.filter(({ severity }) => severity !== 'note')).toEqual([]);
  expect(again?.text).toBe(mesh);
  expect(again).toMatchObject({ added: [], others: [], differences: [] });
  expect(mesh).not.toMatch(SECRET);
  expect(override).not.toMatch(SECRET);
  const written = servicesOf(override);
  for (const { compose, hasLinks, dependsOn } of plan.services) {
    const order = Object.keys(written[compose]?.depends_on ?? {});
    if (hasLinks) expect(order, compose).toEqual(expect.arrayContaining([...dependsOn.keys()]));
    expect(order.length, compose).toBeGreaterThan(0);
  }
}

function composeName({ compose }: { compose: string }): string {
  return compose;
}

interface WrittenService {
  readonly depends_on?: object;
}

/** Its services; Compose's own tags change nothing in what they are called. */
function servicesOf(override: string): Readonly<Record<string, WrittenService | undefined>> {
  const plain = override.replaceAll(/!(?:override|reset)(?= |$)/gm, '');
  const { services } = parse(plain, { merge: true }) as {
    services: Record<string, WrittenService>;
  };
  return services;
}

/** Open by default, and never where no network leads. */
/** Databases, caches and brokers: whom nothing of their own names, they don't call. */
const CALL_NOBODY = new RegExp(
  [
    ...['postgres', 'mysql', 'maria', 'mongo(?!-)', 'mssql', 'oracle', 'cassandra', 'neo4j'],
    ...['redis', 'valkey', 'memcached', 'rabbit', 'nats', 'mosquitto', 'zookeeper', 'clickhouse'],
    ...['(cp-)?kafka(:|$)', 'elasticsearch:', 'opensearch:', 'influx'],
  ].join('|'),
);

function expectEdges({ plan, project }: Generated): void {
  const networksOf = (name: string): string[] => [
    ...(project.services.get(name)?.networks.keys() ?? []),
  ];
  const callable = [...plan.services, ...plan.leftOut].filter(({ ports }) => ports.length > 0);
  for (const { compose, calls } of plan.services) {
    const callsNobody = CALL_NOBODY.test(project.services.get(compose)?.image ?? '');
    const own = new Set(networksOf(compose));
    const isNear = (name: string): boolean => networksOf(name).some((one) => own.has(one));
    const callees = calls.map(({ callee }) => callee);
    expect(callees.filter((callee) => !isNear(callee))).toEqual([]);
    expect(callees).not.toContain(compose);
    const near = callable.filter((one) => one.compose !== compose && isNear(one.compose));
    if (!callsNobody) expect(callees).toEqual(expect.arrayContaining(near.map(composeName)));
  }
}

/** Each call that something in the file says has names that lead to it. */
function expectReachable({ project, wiring }: Generated): void {
  for (const { service, holder, slots, loopback, direct } of wiring?.services ?? []) {
    const all = [...slots, ...loopback].flatMap((one) => one.names);
    const names = new Set(all.map((name) => name.toLowerCase()));
    for (const { callee, evidence } of service.calls) {
      if (evidence === undefined || direct.some((one) => one.callee === callee)) continue;
      const where = `${service.compose} calls ${callee}`;
      expect(names, where).toContain(callee.toLowerCase());
      const container = project.services.get(callee)?.containerName ?? callee;
      expect(names, where).toContain(container.toLowerCase());
    }
    for (const own of service.ownNames.keys()) expect(names).toContain(own.toLowerCase());
    expect(slots.length > 0).toBe(holder === undefined);
  }
}

/** On one network two callees have no port number in common: a number leads to one of them. */
function expectDistinct({ plan, wiring }: Generated): void {
  const all = [...plan.services, ...plan.leftOut];
  for (const { slots } of wiring?.services ?? []) {
    for (const { callees } of slots) {
      const ports = callees.flatMap((name) =>
        all
          .filter((one) => one.name === name)
          .flatMap((one) => one.ports.map(({ number }) => number)),
      );
      expect(ports).toEqual([...new Set(ports)]);
    }
  }
}
