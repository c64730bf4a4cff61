// How each move is made, and what is said of it on the timeline: before it begins, and when it is
// over.
import { type Clock, systemClock } from '../../src/base/index.js';
import { delay } from '../../src/demo/wait.js';
import { parseMesh } from '../../src/policy/index.js';
import { eventually } from '../harness/index.js';
import { toClient } from './flow.js';
import { whyNotInForce } from './in-force.js';
import { type MeshDoc, toText, tryMesh } from './mesh-doc.js';
import type { Act, Move, Shape } from './moves.js';
import type { State } from './oracle.js';
import type { Timeline } from './timeline.js';
import { SIDECARS, type World } from './world.js';

/** In force on all but the faulty within this time, and so much more where somebody is mute. */
export const IN_FORCE_MS = 10_000;
const MUTE_MS = 65_000;
/** What couldn't be stored is tried again after a pause. */
const STORE_AGAIN_MS = 8_000;
/** What a sidecar was in the middle of, when it was away, ends so much later. */
const AFTERMATH_MS = 2_000;
const BACK_MS = 30_000;
/** How long the disk is slow. */
const SLOW_MS = 3_000;
const INSTANCE = 'ledger-b';

export interface Performance {
  readonly world: World;
  readonly timeline: Timeline;
  readonly clock?: Clock;
}

export function toState({ doc, revoked }: Pick<Shape, 'doc' | 'revoked'>): State {
  const mesh = tryMesh(doc);
  if (mesh === undefined) throw new Error('expected a mesh that check takes');
  return { mesh, revoked };
}

/** How long it took until it was in force; undefined where nothing was to be. */
export async function perform(move: Move, on: Performance): Promise<number | undefined> {
  const { act, before, after } = move;
  const { clock = systemClock, timeline, world } = on;
  switch (act.kind) {
    case 'drain an instance':
      await restartInstance(world);
      return undefined;
    case 'renew leaves':
      await world.command('cert', act.service, '--renew');
      return undefined;
    case 'stub':
      await world.setStub(after.stub);
      return undefined;
    case 'revocation':
      timeline.enter(toState(after));
      await revoke(after.revoked.length > 0, on);
      break;
    default:
      if (act.kind === 'two edits') {
        await write(act.first, before.revoked, on);
        await delay(act.gapMs, clock);
      }
      await edit(act, after, on);
  }
  const tookMs = await untilInForce(move, on);
  settle(act, on);
  return tookMs;
}

async function write(doc: MeshDoc, revoked: readonly string[], { world, timeline }: Performance) {
  timeline.enter(toState({ doc, revoked }));
  await world.write(doc);
}

/** An edit, and what happens beside it. */
async function edit(act: Act, { doc, revoked }: Shape, on: Performance): Promise<void> {
  const { world, clock = systemClock } = on;
  const { server } = world;
  const put = (): Promise<void> => write(doc, revoked, on);
  const putFor = (forMs: number) => async () => {
    await put();
    await delay(forMs, clock);
  };
  switch (act.kind) {
    case 'kill the server':
      await putFor(act.afterMs)();
      for (let kills = act.again ? 2 : 1; kills > 0; kills--) {
        server.signal('SIGKILL');
        await server.untilReady();
      }
      return;
    case 'restart the server':
      server.signal('SIGTERM');
      await put();
      return server.untilReady();
    case 'stop a sidecar':
      return whileStopped(act.node, on, putFor(act.forMs));
    case 'kill an instance':
      return whileAway(act.awayMs, on, put);
    case 'rotate the root':
      await rotate(world);
      return put();
    case 'down in a rotation':
      await rotate(world);
      await put();
      await server.keepDown(act.forMs);
      return server.untilReady();
    case 'the disk is full':
      return whileDisk('ENOSPC', world, putFor(act.forMs));
    case 'the disk is slow':
      return whileDisk(`slow ${act.pauseMs}`, world, putFor(SLOW_MS));
    case 'the clock jumps':
      world.serverClock.set(act.aheadS);
      return putFor(act.forMs)().finally(() => world.serverClock.set(0));
    default:
      return put();
  }
}

type Run = () => Promise<void>;

function whileDisk(trouble: string, world: World, run: Run): Promise<void> {
  world.setDisk(trouble);
  return run().finally(() => world.setDisk(undefined));
}

function whileStopped(node: string, { world, timeline }: Performance, run: Run): Promise<void> {
  const { process } = world.envoy(node);
  timeline.hold(node, `SIGSTOP of ${node}`);
  process.signal('SIGSTOP');
  return run().finally(() => process.signal('SIGCONT'));
}

async function whileAway(awayMs: number, on: Performance, run: Run): Promise<void> {
  const { world, timeline, clock = systemClock } = on;
  timeline.hold(INSTANCE, `kill -9 of ${INSTANCE}`);
  await world.envoy(INSTANCE).process.kill();
  await run();
  await delay(awayMs, clock);
  await world.startSidecar(INSTANCE);
  await world.envoy(INSTANCE).waitReady(BACK_MS);
}

/** Unless one is on its way. */
async function rotate(world: World): Promise<void> {
  if ((await world.status()).rootChange === null) await world.command('ca', 'rotate');
}

function settle(act: Act, { timeline }: Performance): void {
  timeline.settle();
  if (act.kind === 'stop a sidecar') timeline.release(act.node, AFTERMATH_MS);
  if (act.kind === 'kill an instance') timeline.release(INSTANCE, AFTERMATH_MS);
  if (act.kind !== 'revocation') return;
  for (const held of ['batch', toClient('batch')]) timeline.release(held, AFTERMATH_MS);
}

async function revoke(isShutOut: boolean, { world, timeline }: Performance): Promise<void> {
  if (isShutOut) {
    await world.command('revoke', 'batch');
    return;
  }
  for (const back of ['batch', toClient('batch')]) timeline.hold(back, 'batch comes back');
  await world.command('revoke', 'batch', '--undo');
  await world.clients.renew('batch');
  await eventually(
    async () => {
      const { proxies } = await world.status();
      return proxies.some(({ service, state }) => service === 'batch' && state === 'synced');
    },
    { what: 'batch back', timeoutMs: BACK_MS },
  );
}

/** Taken out of service in order, so that no request is lost. */
async function restartInstance(world: World): Promise<void> {
  const instance = ['ledger', '--instance', INSTANCE];
  const { admin, stop } = world.envoy(INSTANCE);
  const open = ['--envoy-admin', `${admin.address}:${admin.port}`, '--timeout', '20s'];
  await world.command('drain', ...instance, ...open);
  await stop();
  await world.startSidecar(INSTANCE);
  await world.envoy(INSTANCE).waitReady(BACK_MS);
  // The drain of one that went is over; of one that was away for a moment only it may not be.
  const { drains } = await world.status();
  if (drains.some(({ node }) => node === `ledger~${INSTANCE}`)) {
    await world.command('drain', ...instance, '--undo');
  }
}

async function untilInForce({ act, after }: Move, on: Performance): Promise<number> {
  const { world, clock = systemClock } = on;
  const text = toText(after.doc, world.targets);
  const version = parseMesh([{ path: world.meshPath, text }]).mesh?.version ?? '';
  // One whose service isn't declared has no mesh.
  const undeclared = Object.values(SIDECARS).filter((name) => !(name in after.doc.services));
  const stubs = after.stub === undefined ? [] : ['reports'];
  const faulty = [...after.revoked, ...undeclared, ...stubs];
  const fromMs = clock.now();
  const storedMs = act.kind === 'the disk is full' ? STORE_AGAIN_MS : 0;
  const timeoutMs = IN_FORCE_MS + storedMs + (faulty.length === 0 ? 0 : MUTE_MS);
  await eventually(
    async () => {
      const why = whyNotInForce(await world.status(), { version, faulty });
      if (why !== undefined) throw new Error(why);
    },
    { what: 'the mesh in force', timeoutMs, intervalMs: 20 },
  );
  return clock.now() - fromMs;
}
