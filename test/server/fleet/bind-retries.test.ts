// A listener whose port another program holds: only it is tried again, less and less often.
import { describe, expect, it } from 'vitest';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../../src/base/index.js';
import { BindRetries } from '../../../src/server/fleet/bind-retries.js';
import { Member } from '../../../src/server/fleet/member.js';
import { createResource } from '../../../src/xds/index.js';
import { FakeStream, fakeSidecar } from '../../fakes/fake-stream.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { recordingLogger } from '../../fakes/recording-logger.js';
import { settle } from '../../fakes/settle.js';

const listener = (name: string, text = name) =>
  createResource({
    ...{ name, value: Buffer.from(text) },
    source: { file: 'mesh.yaml', line: 9, column: 7 },
  });
const IN_USE = 'Address already in use';
const inUse = (name: string, port: number): string =>
  `Error adding/updating listener(s) ${name}: cannot bind '10.0.0.7:${port}': ${IN_USE}\n`;

function setUp() {
  const clock = new ManualClock();
  const logger = recordingLogger();
  const world = { holder: undefined as string | undefined, changes: 0 };
  const retries = new BindRetries({
    ...{ clock, logger },
    findHolder: async () => world.holder,
    onChange: () => world.changes++,
  });
  const peer = new FakeStream(fakeSidecar('ledger', '10.0.0.7'));
  const member = new Member(peer.stream, () => undefined);
  return {
    ...{ clock, logger, world, retries, peer, member },
    reject(message = inUse('inbound:8080', 8080), ...resources: ReturnType<typeof listener>[]) {
      peer.reject(message, resources.length === 0 ? [listener('inbound:8080')] : resources);
      retries.look(member, 'nacked');
    },
    take() {
      peer.take();
      retries.look(member, 'acked');
    },
    messages: () => logger.lines.map(({ level, message }) => `${level} ${message}`),
  };
}

const FAILED = 'error a listener cannot bind: the others serve, and it is tried again';
const BOUND = 'info a listener no longer fails to bind';

describe('a listener that cannot bind', () => {
  it('is tried again after 1, 2, 4 … and at most 60 seconds', () => {
    const { clock, peer, reject } = setUp();
    reject();
    const waits: number[] = [];
    for (let tries = 1; tries <= 9; tries++) {
      const beganMs = clock.now();
      while (peer.retried.length < tries) clock.advance(SECOND_MS);
      waits.push((clock.now() - beganMs) / SECOND_MS);
      reject();
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
    expect(new Set(peer.retried.flat())).toEqual(new Set(['inbound:8080']));
  });

  it('is one timer, and none once it is bound or the sidecar is gone', () => {
    const { clock, retries, peer, reject, take } = setUp();
    reject();
    expect(clock.pending).toBe(1);
    take();
    expect(clock.pending).toBe(0);
    reject();
    retries.forget(peer.stream);
    expect(clock.pending).toBe(0);
  });

  it('what else the sidecar takes meanwhile neither hurries nor delays it', () => {
    const { clock, peer, retries, member, reject } = setUp();
    reject();
    clock.advance(SECOND_MS / 2);
    retries.look(member, 'acked');
    expect(clock.pending).toBe(1);
    clock.advance(SECOND_MS / 2);
    expect(peer.retried).toEqual([['inbound:8080']]);
  });

  it('one that fails later, or with new content, begins anew', () => {
    const { clock, member, reject } = setUp();
    reject();
    clock.advance(SECOND_MS);
    reject();
    expect(member.unbound).toMatchObject([{ tries: 2, nextTryAtMs: clock.now() + 2 * SECOND_MS }]);
    const both = [listener('inbound:8080'), listener('mesh')];
    reject(`${inUse('inbound:8080', 8080)}mesh: cannot bind '10.0.0.7:15443': in use`, ...both);
    expect(member.unbound).toMatchObject([{ tries: 1 }, { tries: 1 }]);
  });
});

describe('what is said of it', () => {
  it('is which address, who has it and which line of the mesh file', async () => {
    const { world, member, logger, reject } = setUp();
    world.holder = 'python3 (pid 4711)';
    reject();
    await settle();
    const said = {
      listener: 'inbound:8080',
      address: '10.0.0.7:8080',
      holder: 'python3 (pid 4711)',
      source: 'mesh.yaml:9:7',
    };
    expect(member.unbound).toMatchObject([{ ...said, words: 'Address already in use' }]);
    expect(logger.lines[0]?.fields).toMatchObject({ node: 'ledger~10.0.0.7', ...said });
    expect(world.changes).toBe(1);
  });

  it('in the log is one line at first, one an hour, and one at its end', async () => {
    const { clock, peer, messages, reject, take } = setUp();
    reject();
    await settle();
    expect(messages()).toEqual([FAILED]);
    const beganMs = clock.now();
    while (clock.now() - beganMs < HOUR_MS + 2 * MINUTE_MS) {
      const before = peer.retried.length;
      clock.advance(MINUTE_MS);
      if (peer.retried.length > before) reject();
      await settle();
    }
    expect(messages()).toEqual([FAILED, FAILED]);
    take();
    expect(messages()).toEqual([FAILED, FAILED, BOUND]);
  });
});
