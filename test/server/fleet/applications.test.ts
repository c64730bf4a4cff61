// What sidecars report of their applications, without a server: their streams are fakes.
import { describe, expect, it } from 'vitest';
import { MeshError, SECOND_MS } from '../../../src/base/index.js';
import type { HealthStream } from '../../../src/grpc/health-discovery/index.js';
import { Applications } from '../../../src/server/fleet/index.js';
import type { Sidecar } from '../../../src/server/join/index.js';
import { fakeSidecar } from '../../fakes/fake-stream.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { recordingLogger } from '../../fakes/recording-logger.js';
import { meshOf } from '../../policy/helpers.js';

const meshWith = (ports: string) =>
  meshOf(`trustDomain: shop.example
services:
  web: {}
  app: { ports: { ${ports} } }`);
const TWO = [
  '8080: { protocol: http, health: { path: /a } }',
  '8081: { protocol: http, health: { path: /b } }',
  '8082: http',
].join(', ');
const APP = fakeSidecar('app', '10.0.0.7');

function setUp() {
  const clock = new ManualClock();
  const logger = recordingLogger();
  const world = { mesh: meshWith(TWO), isShutOut: false, changes: 0 };
  const applications = new Applications({
    ...{ clock, logger },
    mesh: () => world.mesh,
    assertAdmitted: () => {
      if (world.isShutOut) throw new MeshError('revoked', 'service "app" is revoked');
    },
    onChange: () => world.changes++,
  });
  const open = (auth: Sidecar = APP) => {
    const asked: Uint8Array[] = [];
    const stream: HealthStream<Sidecar> = {
      auth,
      ask: (specifier) => void asked.push(specifier),
      hold: () => applications.onClose(stream),
    };
    applications.onOpen(stream);
    const report = (states: Readonly<Record<string, boolean>>): void =>
      applications.onReport(stream, new Map(Object.entries(states)));
    return { stream, asked, report };
  };
  return {
    ...{ clock, world, applications, open },
    log: () => logger.lines.map(({ level, fields }) => [level, Reflect.get(fields, 'port')]),
    unwell: (sidecar = APP) => applications.unwellOf(sidecar),
  };
}

describe('what sidecars report of their applications', () => {
  it('an application is unwell since it was first reported so, and until it is well', () => {
    const { clock, world, open, log, unwell } = setUp();
    const { report } = open();
    expect(unwell()).toEqual([]);
    report({ 'health:8080': true, 'health:8081': false });
    const sinceMs = clock.now();
    clock.advance(SECOND_MS);
    report({ 'health:8080': true, 'health:8081': false });
    expect(unwell()).toEqual([{ port: 8081, sinceMs }]);
    report({ 'health:8080': false });
    expect(unwell().map(({ port }) => port)).toEqual([8080, 8081]);
    report({ 'health:8080': true, 'health:8081': true });
    expect(unwell()).toEqual([]);
    expect(log()).toEqual([
      ...[['warn', 8081] as const, ['warn', 8080] as const],
      ...[['info', 8080] as const, ['info', 8081] as const],
    ]);
    expect(world.changes).toBe(3);
  });

  it('names that nobody asked for are passed over', () => {
    const { world, open, unwell } = setUp();
    const { report } = open();
    report({ 'health:8082': false, 'health:9': false, 'local:8080': false, '': false });
    expect({ unwell: unwell(), changes: world.changes }).toEqual({ unwell: [], changes: 0 });
  });

  it('it is asked again where the mesh changes what is checked, and at no other change', () => {
    const { world, applications, open, unwell } = setUp();
    const { asked, report } = open();
    world.mesh = meshWith(`${TWO}, 8083: http`);
    applications.meshChanged();
    expect(asked).toHaveLength(1);
    report({ 'health:8080': false, 'health:8081': false });
    world.mesh = meshWith('8080: { protocol: http, health: { path: /a } }');
    applications.meshChanged();
    expect(asked).toHaveLength(2);
    expect(unwell().map(({ port }) => port)).toEqual([8080]);
    world.mesh = meshOf('trustDomain: shop.example\nservices: { web: {} }');
    applications.meshChanged();
    expect({ asked: asked.length, unwell: unwell() }).toEqual({ asked: 3, unwell: [] });
  });
});

describe('whose reports count', () => {
  it('of two streams of one sidecar the newer counts; the end of the older changes nothing', () => {
    const { applications, open, unwell } = setUp();
    const older = open();
    older.report({ 'health:8080': false });
    const newer = open();
    older.report({ 'health:8081': false });
    expect(unwell()).toEqual([]);
    newer.report({ 'health:8081': false });
    applications.onClose(older.stream);
    expect(unwell().map(({ port }) => port)).toEqual([8081]);
    applications.onClose(newer.stream);
    expect(unwell()).toEqual([]);
  });

  it('instances are told apart, those that share a name by their addresses', () => {
    const { open, unwell } = setUp();
    const other = { ...APP, address: '10.0.0.8' };
    open().report({ 'health:8080': false });
    open(other);
    expect([unwell(APP).length, unwell(other).length]).toEqual([1, 0]);
  });

  it('one that is shut out is listened to no more', () => {
    const { world, applications, open, unwell } = setUp();
    const { report } = open();
    report({ 'health:8080': false });
    applications.shutOut();
    expect(unwell()).toHaveLength(1);
    world.isShutOut = true;
    applications.shutOut();
    report({ 'health:8080': false });
    expect(unwell()).toEqual([]);
  });
});
