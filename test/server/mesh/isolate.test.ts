// A service of which nothing can be made is held at its last good form; everything else goes on.
import { expect, it } from 'vitest';
import { type Mesh, type Service, serviceName } from '../../../src/policy/index.js';
import { isolate } from '../../../src/server/mesh/isolate.js';
import { assertTranslatable } from '../../../src/translate/index.js';
import { meshOf } from '../../policy/helpers.js';

const meshIn = (mode: string, services = ''): Mesh =>
  meshOf(`trustDomain: shop.example
mtls: ${mode}
services:
  web: { ports: { 8080: http } }
  ledger: { ports: { 8080: http } }
${services}`);
const LEDGER = serviceName('ledger');

const poisoned = (...names: readonly string[]) => ({
  assertTranslatable: (_mesh: Mesh, { name }: Service): void => {
    if (names.includes(name)) throw new Error('a fault');
  },
});
const modes = ({ services }: Mesh) =>
  [...services].map(([name, { ports }]) => `${name} ${ports.map(({ mode }) => mode).join()}`);

it('what cannot be made stays as it was, and the rest has the new settings', () => {
  const before = meshIn('permissive');
  const after = meshIn('strict');
  const { mesh, problems, held } = isolate(after, { before, ...poisoned('ledger') });
  expect(modes(mesh)).toEqual(['ledger permissive', 'web strict']);
  expect(mesh.version).not.toBe(after.version);
  expect(held).toEqual([LEDGER]);
  expect(problems).toMatchObject([
    { severity: 'error', path: 'services.ledger', message: expect.stringContaining('as it was') },
  ]);
});

it('what cannot be made and was not there before is left out', () => {
  const { mesh, problems } = isolate(meshIn('strict', '  new: { ports: { 9000: tcp } }'), {
    ...{ before: meshIn('strict'), ...poisoned('new') },
  });
  expect(modes(mesh)).toEqual(['ledger strict', 'web strict']);
  expect(problems[0]?.message).toContain('left out');
});

it('a mesh that can be made is the same object, and what did not change is not looked at', () => {
  const before = meshIn('strict');
  const after = meshIn('strict', '  new: {}');
  const looked: string[] = [];
  const assert = (_mesh: Mesh, { name }: Service): void => void looked.push(name);
  const { mesh } = isolate(after, { before, assertTranslatable: assert });
  expect(mesh).toBe(after);
  expect(looked).toEqual(['new']);
});

it('a real fault of translation is found, of whichever part', () => {
  const mesh = meshIn('strict', '  db: { ports: { 5432: tcp } }');
  const broken = (change: Partial<Service['ports'][number]>): Mesh => {
    const services = [...mesh.services].map(([name, service]): [typeof name, Service] => [
      name,
      { ...service, ports: service.ports.map((port) => ({ ...port, ...change })) },
    ]);
    return { ...mesh, services: new Map(services) };
  };
  const heldIn = (one: Mesh) => isolate(one, { before: undefined, assertTranslatable }).held;
  expect(heldIn(mesh)).toEqual([]);
  expect(heldIn(broken({ tls: undefined as never }))).toEqual(['db', 'ledger', 'web']);
  expect(heldIn(broken({ access: undefined as never }))).toEqual(['db', 'ledger', 'web']);
});
