// `ca taint`, as the server carries it out.
import { expect, it } from 'vitest';
import { noteBundle } from '../../../src/ca/change/index.js';
import { activated, HOUR_MS, MUTE, proxy, STALE, setUpChange } from './change-world.js';

it('tainted: goes as soon as every proxy has a leaf of the new one, clients or not', async () => {
  const { authority, change, world, look, steer, offer, handOut, ...more } = await setUpChange();
  const { dataDir, clock, chain } = more;
  world.proxies = [proxy()];
  await handOut(20 * HOUR_MS, authority);
  await noteBundle(dataDir, { anchorsPem: authority.trustAnchorsPem, atMs: clock.now() });
  await offer(chain, 'trust');
  await look();
  world.proxies = [STALE];
  await steer('sign', { look });
  expect(await steer('taint', { look })).toMatchObject({ state: 'done' });
  expect(authority.change).toMatchObject({ stage: 'sign', until: 'end', isTainted: true });
  expect([change.phase?.waitingFor, world.urgent]).toEqual([['web~1'], 1]);
  world.proxies = [proxy()];
  await change.advance();
  expect([authority.change, authority.trustAnchorsPem]).toEqual([undefined, chain.root.pem]);
  expect(await steer('taint', { look })).toMatchObject({ state: 'done' });
});

it('tainted just after a rotation began: it goes on to its end by itself', async () => {
  const { authority, change, world, look, steer, offer, handOut, chain } = await setUpChange();
  await handOut(20 * HOUR_MS, authority);
  world.proxies = [MUTE];
  await offer(chain);
  await look();
  await steer('taint', { look });
  expect(authority.change).toMatchObject({ stage: 'trust', isTainted: true });
  world.proxies = [proxy()];
  await change.advance();
  expect(authority.trustAnchorsPem).toBe(chain.root.pem);
});

it('tainted: stays while a mute proxy has a leaf of it, until the operator says so', async () => {
  const { authority, change, world, look, steer, finish, clock } = await activated();
  world.proxies = [MUTE];
  await steer('taint', { look });
  clock.advance(24 * HOUR_MS);
  await change.advance();
  expect(change.phase?.waitingFor).toEqual(['web~1']);
  await finish(authority.change?.oldRootSha256 ?? '');
  await look();
  expect(authority.change).toBe(undefined);
});

it('tainted: is not dropped by a clock in doubt, and that is said', async () => {
  const { authority, change, world, hold, look, steer } = await activated();
  hold('the clock: it says 2028');
  await steer('taint', { look });
  world.proxies = [proxy()];
  await change.advance();
  expect(change.phase?.waitingFor).toEqual(['the clock: it says 2028']);
  hold(undefined);
  await change.advance();
  expect(authority.change).toBe(undefined);
});

it('tainted: never signs again: the change can not be taken back', async () => {
  const { authority, look, steer } = await activated();
  await steer('taint', { look });
  expect(await steer('abort', { look })).toMatchObject({
    state: 'refused',
    error: { message: 'expected an old root to go back to but it is bad' },
  });
  expect(authority.change).toMatchObject({ isBack: false });
});
