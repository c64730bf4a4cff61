// Whatever the project: each service is planned or left out exactly once, no edge goes where no
// common network is, and no value of the environment gets into a text of the plan.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type MeshPlan, planMesh } from '../../src/compose/plan/index.js';
import type { ComposeProject } from '../../src/compose/project/index.js';
import { readFolder } from '../compose-project/project-files.js';

const RUNS = { seed: 20_261_128, numRuns: 60 };
const NAMES = ['web', 'db', 'cache', 'Api_1', 'api-1', 'api.1', 'mesh', 'worker', 'migrate'];
const IMAGES = ['postgres', 'redis', 'nginx', 'x', 'apache/kafka', 'consul', 'traefik', 'mysql:8'];
const SECRET = 'sEcReT';

const host = fc.constantFrom(...NAMES, 'localhost', 'nowhere', '10.0.0.1');
const text = fc.oneof(
  fc
    .tuple(host, fc.nat(70_000))
    .map(([name, port]) => `http://${SECRET}u:${SECRET}p@${name}:${port}/${SECRET}`),
  fc.tuple(host, fc.nat(70_000)).map(([name, port]) => `${name}:${port}`),
  host,
  fc.constant(SECRET),
);
const service = fc.record(
  {
    image: fc.constantFrom(...IMAGES),
    environment: fc.dictionary(
      fc.constantFrom(
        'DB_HOST',
        'DB_PORT',
        'URL',
        'PASSWORD',
        'PORT',
        'VIRTUAL_HOST',
        'EUREKA_URL',
      ),
      text,
    ),
    command: fc.array(text, { maxLength: 2 }),
    ports: fc.uniqueArray(fc.constantFrom('80:80', '5432', '53:53/udp', '127.0.0.1:90:90')),
    networks: fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { minLength: 1 }),
    labels: fc.constantFrom([], ['traefik.enable=true'], ['countersign.enable=false']),
    'x-countersign': fc.constantFrom({}, false, { capture: 'transparent' }, { name: 'chosen' }),
    privileged: fc.boolean(),
    hostname: fc.constantFrom('h1', 'h2'),
    deploy: fc.record({ replicas: fc.integer({ min: 0, max: 3 }) }),
  },
  { requiredKeys: ['image'] },
);
const project = fc
  .uniqueArray(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 6 })
  .chain((names) => fc.tuple(...names.map((name) => service.map((one) => [name, one] as const))))
  .map((services) => {
    let isChosen = false;
    const unique = services.map(([name, one]) => {
      const settings = one['x-countersign'];
      const isNamed = typeof settings === 'object' && 'name' in settings;
      const again = isNamed && isChosen;
      isChosen ||= isNamed;
      return [name, again ? { ...one, 'x-countersign': {} } : one];
    });
    return { services: Object.fromEntries(unique), networks: { a: {}, b: {}, c: {} } };
  });

async function read(value: unknown): Promise<ComposeProject> {
  return readFolder(JSON.stringify(value));
}

function textsIn(plan: MeshPlan): string[] {
  const services = plan.services.flatMap(({ name, ports, calls, remarks, networks }) => [
    name,
    ...ports.map(({ evidence }) => evidence),
    ...calls.flatMap(({ callee, evidence }) => [callee, evidence ?? '']),
    ...remarks,
    ...networks.flatMap(({ names }) => names),
  ]);
  const leftOut = plan.leftOut.flatMap(({ reason, hint, ports }) => [
    reason,
    hint,
    ...ports.map(({ evidence }) => evidence),
  ]);
  return [...services, ...leftOut, ...plan.remarks];
}

test('any project', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(project, async (value) => {
      const read1 = await read(value);
      const plan = planMesh(read1);
      expectWhole(plan, read1);
      expect(textsIn(plan).filter((one) => one.includes(SECRET))).toEqual([]);
      expect(planMesh(read1)).toEqual(plan);
    }),
    RUNS,
  );
});

function expectWhole(plan: MeshPlan, { services }: ComposeProject): void {
  const planned = [...plan.services, ...plan.leftOut].map(({ compose }) => compose);
  expect([...planned].sort()).toEqual([...services.keys()].sort());
  const names = [...plan.services, ...plan.leftOut].flatMap(({ name }) => name ?? []);
  expect(new Set(names).size).toBe(names.length);
  for (const { compose, calls, ports, published } of plan.services) {
    const numbers = ports.map(({ number }) => number);
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    for (const { target, protocol } of published) {
      if (protocol === 'tcp') expect(numbers).toContain(target);
    }
    for (const { callee } of calls) {
      const own = services.get(compose)?.networks ?? new Map();
      const other = services.get(callee)?.networks ?? new Map();
      expect([...own.keys()].filter((network) => other.has(network))).not.toEqual([]);
      expect(callee).not.toBe(compose);
    }
  }
}
