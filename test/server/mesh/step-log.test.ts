import { expect, it } from 'vitest';
import type { Mesh, ServiceName } from '../../../src/policy/index.js';
import {
  type ProxyState,
  Rollout,
  STAGE_DEADLINE_MS,
  StepLog,
} from '../../../src/server/mesh/index.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { recordingLogger } from '../../fakes/recording-logger.js';
import { meshOf } from '../../policy/helpers.js';

const meshIn = (mode: string): Mesh =>
  meshOf(`trustDomain: shop.example
services: { web: {}, ledger: { ports: { 8080: { protocol: http, mtls: ${mode} } } } }`);

function start() {
  const clock = new ManualClock();
  const logger = recordingLogger();
  const log = new StepLog(logger);
  let state: ProxyState = 'synced';
  const rollout = new Rollout(meshIn('disable'), {
    clock,
    proxies: () => [
      {
        ...{ node: 'ledger~1', service: 'ledger' as ServiceName, state },
        said: () => 'mesh.yaml:2:5 lds: no such filter',
      },
    ],
    onChange: (before, now) => log.note(before, now),
  });
  rollout.inForce.onChange(() => {
    state = 'pending';
  });
  const set = (next: ProxyState): void => {
    state = next;
    rollout.advance();
  };
  const lines = () =>
    logger.lines.map(({ message, fields }) => {
      const { of, step, back, ...rest } = fields as Record<string, unknown>;
      return [message, of, step, back, ...(Object.keys(rest).length > 0 ? [rest] : [])];
    });
  return { clock, log, rollout, set, lines };
}

it('a line for each step, and a count of those that are done', () => {
  const { clock, log, rollout, set, lines } = start();
  rollout.start(meshIn('strict'));
  for (let step = 0; step < 3; step++) {
    set('synced');
    clock.advance(500);
  }
  expect(lines()).toEqual([
    ['step in force', 'ledger:8080', 'widen', false],
    ['step in force', 'ledger:8080', 'move', false],
    ['step in force', 'ledger:8080', 'narrow', false],
  ]);
  expect([...log.done]).toEqual([
    ['widen', 1],
    ['move', 1],
    ['narrow', 1],
  ]);
  expect([log.turnedBack, rollout.steps]).toEqual([0, []]);
});

it('a change that goes back says why, with the place of what is not in force', () => {
  const { clock, log, rollout, set, lines } = start();
  rollout.start(meshIn('strict'));
  set('nacked');
  clock.advance(STAGE_DEADLINE_MS);
  const [, held, back] = lines();
  expect(held?.[0]).toBe('a change goes back: what was stays in force');
  expect(held?.at(-1)).toMatchObject({
    ...{ why: 'rejected', node: 'ledger~1', said: 'mesh.yaml:2:5 lds: no such filter' },
    source: expect.stringMatching(/^mesh\.yaml:2:\d+$/),
  });
  expect(back).toEqual(['step in force', 'ledger:8080', 'narrow', true]);
  expect(log.turnedBack).toBe(1);
});
