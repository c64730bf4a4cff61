// Each compose file of the corpus through `countersign compose`: what becomes of its services.
// Pure: our own reader, and no engine. test/compose/corpus.test.ts shows the results to Docker
// Compose.
import { describe, expect, test } from 'vitest';
import type { PlannedService } from '../../src/compose/plan/index.js';
import { type ExpectedService, readCorpus } from './expected.js';
import { generate } from './generate.js';
import { expectSound } from './sound.js';

const cases = readCorpus();
const refused = cases.filter(({ expected }) => expected.refused !== undefined);
const taken = cases.filter(({ expected }) => expected.refused === undefined);

test('the corpus has files', () => {
  expect(taken.length).toBeGreaterThan(60);
  expect(refused.length).toBeGreaterThan(5);
});

describe('refused, in one line that says why', () => {
  test.each(refused.map((one) => [one.kind, one] as const))('%s', async (_, one) => {
    const error = await generate(one).then(
      () => undefined,
      (cause: unknown) => cause,
    );
    expect(error).toMatchObject({ name: 'MeshError' });
    const { message, hint } = error as { message: string; hint?: string };
    expect([message, hint ?? ''].join(' ')).toMatch(one.expected.refused ?? /never/);
    expect(message).not.toContain('\n');
  });
});

describe('meshed, or left out with a reason', () => {
  test.each(taken.map((one) => [one.kind, one] as const))('%s', async (_, { expected, ...one }) => {
    const { plan, wiring, mesh } = await generate(one);
    const isFree = (name: string): boolean => expected.either.includes(name);
    const meshed = plan.services.filter(({ compose }) => !isFree(compose));
    const leftOut = plan.leftOut.filter(({ compose }) => !isFree(compose));
    expect({
      meshed: meshed.map(({ compose }) => compose).sort(),
      leftOut: leftOut.map(({ compose }) => compose).sort(),
    }).toEqual({
      meshed: Object.keys(expected.meshed).sort(),
      leftOut: Object.keys(expected.leftOut).sort(),
    });
    for (const service of meshed) {
      const wanted = expected.meshed[service.compose];
      if (wanted !== undefined) expectService(service, wanted);
    }
    for (const { compose, reason, hint } of leftOut) {
      const wanted = expected.leftOut[compose];
      expect(reason, compose).toMatch(wanted?.because ?? /never/);
      expect(hint, compose).toMatch(wanted?.todo ?? /never/);
    }
    const own = plan.services.flatMap((service) => service.remarks);
    const remarks = [...plan.remarks, ...own, ...(wiring?.remarks ?? [])].join('\n');
    for (const said of expected.says) expect(remarks).toMatch(said);
    for (const said of expected.mesh) expect(mesh).toMatch(said);
    for (const [name, count] of Object.entries(expected.slots)) {
      const found = wiring?.services.find(({ service }) => service.compose === name);
      expect(found?.slots, name).toHaveLength(count);
    }
  });
});

function expectService(service: PlannedService, wanted: ExpectedService): void {
  const { compose } = service;
  const known = service.calls.filter(({ evidence }) => evidence !== undefined);
  expect({
    compose,
    ports: portsOf(service, wanted),
    calls: known.map(({ callee }) => callee).sort(),
    ownNames: Object.fromEntries(service.ownNames),
    published: service.published.map(toShortForm),
    shape: service.shape,
    job: service.isJob,
    replicas: service.replicas,
    profiles: service.profiles,
    movedLabels: [...service.movedLabels.keys()].sort(),
    internal: service.networks.length > 0 && service.networks.every((one) => one.isInternal),
  }).toEqual({
    compose,
    ports: wanted.ports,
    calls: Object.keys(wanted.calls).sort(),
    ownNames: wanted.ownNames,
    published: wanted.published,
    shape: wanted.shape,
    job: wanted.job,
    replicas: wanted.replicas,
    profiles: wanted.profiles,
    movedLabels: [...wanted.movedLabels].sort(),
    internal: wanted.internal,
  });
  expectEvidence(service, wanted);
  expectNames(service, wanted);
  if (wanted.name !== undefined) expect(service.name).toBe(wanted.name);
  if (wanted.after !== undefined) {
    expect(Object.fromEntries(service.dependsOn)).toEqual(wanted.after);
  }
}

/** A protocol that doesn't matter is shown as `*`. */
function portsOf({ ports }: PlannedService, wanted: ExpectedService): Record<number, string> {
  const shown = ports.map(({ number, protocol }): [number, string] => {
    return [number, wanted.ports[number] === '*' ? '*' : protocol];
  });
  return Object.fromEntries(shown);
}

function expectEvidence({ compose, ports, calls }: PlannedService, wanted: ExpectedService): void {
  for (const { number, evidence } of ports) {
    expect(evidence, `${compose}:${number}`).toMatch(wanted.because[number] ?? /./);
  }
  for (const { callee, evidence = '' } of calls) {
    expect(wanted.never).not.toContain(callee);
    const said = wanted.calls[callee];
    if (said !== undefined) expect(evidence, `${compose} calls ${callee}`).toMatch(said);
  }
}

function expectNames({ compose, networks }: PlannedService, wanted: ExpectedService): void {
  const toSet = (names: readonly string[]): Set<string> =>
    new Set(names.map((name) => name.toLowerCase()));
  if (wanted.networks === undefined) {
    const names = toSet(networks.flatMap((network) => network.names));
    expect(names).toEqual(toSet(wanted.names ?? [compose]));
    return;
  }
  const found = networks.map(({ name, names }) => [name, toSet(names)]);
  const right = Object.entries(wanted.networks).map(([name, names]) => [name, toSet(names)]);
  expect(Object.fromEntries(found)).toEqual(Object.fromEntries(right));
}

function toShortForm({ hostIp, published, target }: PlannedService['published'][number]): string {
  return [hostIp, published, target].filter((part) => part !== undefined).join(':');
}

describe('whatever the file', () => {
  test.each(taken.map((one) => [one.kind, one] as const))('%s', async (_, one) => {
    expectSound(await generate(one));
  });
});
