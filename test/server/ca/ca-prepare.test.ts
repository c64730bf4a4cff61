// `ca prepare` and `ca activate`, as the server carries them out.
import { expect, it } from 'vitest';
import { createCaChain } from '../../../src/ca/index.js';
import { generateKeys } from '../../../src/x509/keys/index.js';
import { seededRandom } from '../../fakes/seeded-random.js';
import { DOMAIN, HOUR_MS, prepared, proxy, STALE, sameRoot, setUpChange } from './change-world.js';

it('prepared: is trusted, signs nothing however long, and waits for the operator', async () => {
  const { authority, change, clock } = await prepared();
  clock.advance(24 * HOUR_MS);
  await change.advance();
  expect(authority.change).toMatchObject({ stage: 'trust', until: 'trust' });
  expect(change.phase).toMatchObject({
    name: 'new root, prepared: every proxy trusts it',
    stage: 'trust',
    since: '2026-01-01T00:00:00.000Z',
    waitingFor: ['the operator: `countersign ca activate`, or `countersign ca abort`'],
    nodes: [],
  });
});

it('prepared: names who does not trust it yet, and since when', async () => {
  const { change, clock, world } = await prepared();
  clock.advance(HOUR_MS);
  world.proxies = [proxy({ node: 'web~2', state: 'nacked' })];
  await change.advance();
  clock.advance(HOUR_MS);
  await change.advance();
  const nodes = [{ node: 'web~2', since: '2026-01-01T01:00:00.000Z' }];
  expect(change.phase).toMatchObject({ waitingFor: ['web~2'], nodes });
});

it('prepared: signs when it is activated, and the old one stays until it is let go', async () => {
  const { authority, change, world, look, steer, clock, oldRoots, chain } = await prepared();
  expect(await steer('sign', { look })).toMatchObject({ state: 'done' });
  expect(authority.change).toMatchObject({ stage: 'sign', until: 'sign' });
  world.proxies = [STALE];
  expect(change.phase?.waitingFor).toEqual(['web~1']);
  world.proxies = [proxy()];
  clock.advance(24 * HOUR_MS);
  await change.advance();
  expect(authority.trustAnchorsPem).toBe(chain.root.pem + oldRoots);
  expect(change.phase?.waitingFor).toEqual([
    'the operator: `countersign ca rotate`, or `countersign ca abort`',
  ]);
  await steer('end', { look });
  expect([authority.change, authority.trustAnchorsPem]).toEqual([undefined, chain.root.pem]);
});

it('prepared: activated before every proxy trusts it, waits for them first', async () => {
  const { authority, change, world, look, steer } = await prepared();
  world.proxies = [proxy({ state: 'nacked' })];
  await steer('sign', { look });
  expect(authority.change).toMatchObject({ stage: 'trust', until: 'sign' });
  world.proxies = [proxy()];
  await change.advance();
  expect(authority.change?.stage).toBe('sign');
});

it('prepared: is dropped by abort, since nothing was signed by it', async () => {
  const { authority, change, look, steer, watch, oldRoots } = await prepared();
  expect(await watch('gone', { look })).toMatchObject({ state: 'waiting' });
  expect(await steer('abort', { look })).toMatchObject({ state: 'done' });
  expect([authority.trustAnchorsPem, change.phase]).toEqual([oldRoots, undefined]);
  // Given again, as after a kill before the receipt, it is done.
  expect(await steer('abort', { look })).toMatchObject({ state: 'done' });
  expect(await watch('gone', { look })).toMatchObject({ state: 'done' });
});

it('prepared: can not be tainted into signing: the old one still signs', async () => {
  const { authority, look, steer } = await prepared();
  expect(await steer('taint', { look })).toMatchObject({
    state: 'refused',
    error: { message: 'expected a new root that signs but it is only prepared' },
  });
  expect(authority.change).toMatchObject({ stage: 'trust', isTainted: false });
});

it('prepared: another one waits for its end', async () => {
  const { look, offer, waiting, clock } = await prepared();
  const tools = { clock, random: seededRandom('second'), keySource: generateKeys };
  await offer(await createCaChain(DOMAIN, tools), 'trust');
  await look();
  expect(waiting()).toHaveLength(1);
});

it('prepared: an issuing CA under the root that is trusted is nothing to prepare', async () => {
  const world = await setUpChange();
  const { authority, change, look, offer, chain, clock, receiptOf } = world;
  await offer(chain);
  await look();
  expect(authority.trustAnchorsPem).toBe(chain.root.pem);
  const id = await offer(await sameRoot(chain, clock), 'trust');
  await look();
  expect(await receiptOf(id)).toMatchObject({ state: 'refused' });
  expect([authority.change, change.phase]).toEqual([undefined, undefined]);
});
