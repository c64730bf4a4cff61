// A server that was killed, or whose disk was full, in each stage that the operator may ask for.
import { expect, it } from 'vitest';
import { noteBundle } from '../../../src/ca/change/index.js';
import { diskFull } from '../../x509/tools.js';
import { MUTE, prepared, proxy, STALE, setUpChange } from './change-world.js';

it.each([
  ['prepared', [], { stage: 'trust', until: 'trust' }],
  ['activated', ['sign'], { stage: 'sign', until: 'sign' }],
  ['going on', ['sign', 'end'], { stage: 'sign', until: 'end' }],
  ['tainted', ['sign', 'taint'], { stage: 'sign', isTainted: true }],
  ['going back', ['sign', 'abort'], { stage: 'sign', isBack: true }],
] as const)('goes on where it was: %s', async (_name, steps, expected) => {
  const { authority, world, look, steer, open, chain, oldRoots } = await prepared();
  world.proxies = [STALE];
  for (const step of steps) await steer(step, { look });
  expect(authority.change).toMatchObject(expected);
  const again = await open();
  again.change.start();
  await again.change.advance();
  expect(again.authority.change).toEqual(authority.change);
  world.proxies = [proxy()];
  if (steps.length < 2) await steer('end', again);
  await again.change.advance();
  const isBack = steps.some((step) => step === 'abort');
  expect(again.authority.trustAnchorsPem).toBe(isBack ? oldRoots : chain.root.pem);
});

it.each(['sign', 'end', 'taint', 'abort'] as const)(
  'that can not store %s changes nothing, and does it when there is room',
  async (step) => {
    const { authority, world, look, steer, dataDir, waiting } = await prepared();
    world.proxies = [proxy({ state: 'nacked' })];
    if (step === 'taint') await steer('sign', { look });
    const before = authority.change;
    dataDir.beforeWrite = (name) => {
      if (name === 'authority.json') throw diskFull();
    };
    await expect(steer(step, { look })).rejects.toMatchObject({ code: 'data-unwritable' });
    expect([authority.change, waiting().length]).toEqual([before, 1]);
    dataDir.beforeWrite = () => undefined;
    await look();
    expect([authority.change, waiting().length]).not.toEqual([before, 1]);
    expect(authority.change).not.toEqual(before);
    expect(waiting()).toEqual([]);
  },
);

it('a bundle of the old root is remembered, though one with both was given since', async () => {
  const { authority, change, world, look, offer, chain, dataDir, clock } = await setUpChange();
  await noteBundle(dataDir, { anchorsPem: authority.trustAnchorsPem, atMs: clock.now() });
  world.proxies = [MUTE];
  await offer(chain);
  await look();
  await noteBundle(dataDir, { anchorsPem: authority.trustAnchorsPem, atMs: clock.now() + 1 });
  world.proxies = [proxy()];
  await change.advance();
  expect(change.phase?.waitingFor).toEqual([
    'whoever holds a bundle of the old root: countersign ca rotate --finish',
  ]);
});
