import { expect, it } from 'vitest';
import type { GoneSidecar, MemberView } from '../../../src/server/fleet/index.js';
import type { ProxyState } from '../../../src/server/mesh/index.js';
import { toAttendance, toUndeclaredTexts } from '../../../src/server/status/attendance.js';
import { fakeSidecar } from '../../fakes/fake-stream.js';
import { meshOf } from '../../policy/helpers.js';

// Who is expected, here, gone or nobody's: what `status`, `wait` and the metrics show alike.

const MESH = meshOf(`trustDomain: shop.example
services:
  web: {}
  back: {}
  db: { sidecar: false, endpoints: [10.0.0.9] }
`);

const member = (service: string, address: string, state: ProxyState = 'synced'): MemberView =>
  ({ stream: { auth: fakeSidecar(service, address) }, state }) as unknown as MemberView;

const gone = (service: string, address: string): GoneSidecar => {
  const { node, service: name } = fakeSidecar(service, address);
  return { node, service: name, address, goneAtMs: 0 };
};

it('lists services without a sidecar, sidecars without a service, and who is gone', () => {
  const attendance = toAttendance({
    mesh: MESH,
    members: [member('web', '10.0.0.1'), member('web', '10.0.0.2', 'pending'), member('old', '1')],
    gone: [gone('back', '10.0.0.3'), gone('removed', '10.0.0.4'), gone('web', '10.0.0.5')],
    revocations: new Map([
      ['instance web~10.0.0.5', { kind: 'instance', subject: 'web~10.0.0.5', revokedAtMs: 0 }],
    ]),
  });
  expect(attendance.services).toEqual([
    { service: 'back', declared: true, expected: true, connected: 0, synced: 0, gone: 1 },
    { service: 'db', declared: true, expected: false, connected: 0, synced: 0, gone: 0 },
    { service: 'web', declared: true, expected: true, connected: 2, synced: 1, gone: 0 },
    { service: 'old', declared: false, expected: false, connected: 1, synced: 1, gone: 0 },
  ]);
  expect(attendance.missing).toEqual(['back']);
  // Of a removed service nobody is missed, nor is who was shut out.
  expect(attendance.gone.map(({ node }) => node)).toEqual(['back~10.0.0.3']);
  expect(attendance.undeclared.map(({ stream }) => stream.auth.node)).toEqual(['old~1']);
});

it('a renamed service with live sidecars is warned of by name, and many are counted', () => {
  const members = Array.from({ length: 7 }, (_, i) => member('backend', `10.0.0.${i}`));
  const attendance = toAttendance({ mesh: MESH, members, gone: [], revocations: new Map() });
  expect(toUndeclaredTexts(attendance, MESH)).toEqual([
    'the mesh declares no service "backend", of which sidecars are connected ' +
      '(backend~10.0.0.0, backend~10.0.0.1, backend~10.0.0.2, backend~10.0.0.3, ' +
      'backend~10.0.0.4, and 2 more): they have no configuration, and calls to them fail',
  ]);
});
