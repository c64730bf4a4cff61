import { describe, expect, it } from 'vitest';
import { noteBundle } from '../../../src/ca/change/index.js';
import { type CaChain, createCaChain } from '../../../src/ca/index.js';
import { generateKeys } from '../../../src/x509/keys/index.js';
import { seededRandom } from '../../fakes/seeded-random.js';
import { diskFull } from '../../x509/tools.js';
import { DOMAIN, HOUR_MS, proxy, sameRoot, setUpChange } from './change-world.js';

describe('a chain that a command left', () => {
  it('is taken over: trusted, then signing, then alone, where no proxy is connected', async () => {
    const { change, authority, chain, look, offer, waiting } = await setUpChange();
    await offer(chain);
    await look();
    expect(authority.trustAnchorsPem).toBe(chain.root.pem);
    expect([change.phase, waiting()]).toEqual([undefined, []]);
  });

  it('waits until every proxy trusts it, then until every proxy has its leaf', async () => {
    const { change, authority, chain, world, look, offer } = await setUpChange();
    world.proxies = [proxy({ state: 'pending' }), proxy({ node: 'web~2' })];
    await offer(chain);
    await look();
    const name = 'new root: every proxy trusts it';
    expect(change.phase).toMatchObject({ name, waitingFor: ['web~1'] });
    world.proxies = [proxy({ isCurrent: false }), proxy({ node: 'web~2', isCurrent: false })];
    await change.advance();
    expect(authority.change?.stage).toBe('sign');
    expect(change.phase?.waitingFor).toEqual(['web~1', 'web~2']);
    world.proxies = [proxy(), proxy({ node: 'web~2', state: 'pending' })];
    await change.advance();
    expect(change.phase?.waitingFor).toEqual(['web~2']);
    world.proxies = [proxy(), proxy({ node: 'web~2' })];
    await change.advance();
    expect([change.phase, authority.trustAnchorsPem]).toEqual([undefined, chain.root.pem]);
    expect(world.changes).toBe(3);
  });

  it('a mute proxy holds back the new leaves for a while, and the old root for ever', async () => {
    const { change, authority, chain, world, clock, look, offer } = await setUpChange();
    world.proxies = [proxy({ state: 'pending' })];
    await offer(chain);
    await look();
    clock.advance(29_999);
    await change.advance();
    expect(authority.change?.stage).toBe('trust');
    clock.advance(1);
    await change.advance();
    expect(authority.change?.stage).toBe('sign');
    clock.advance(24 * HOUR_MS);
    await change.advance();
    expect([authority.change?.stage, change.phase?.waitingFor]).toEqual(['sign', ['web~1']]);
  });

  it('a proxy that rejects it holds everything, however long', async () => {
    const { change, authority, chain, world, clock, look, offer } = await setUpChange();
    world.proxies = [proxy({ state: 'nacked' })];
    await offer(chain);
    await look();
    clock.advance(HOUR_MS);
    await change.advance();
    expect([authority.change?.stage, change.phase?.waitingFor]).toEqual(['trust', ['web~1']]);
  });

  it('a proxy that has no certificate in force holds nothing up', async () => {
    const { authority, chain, world, look, offer } = await setUpChange();
    world.proxies = [proxy({ state: 'nacked', isCurrent: false, hasLeaf: false })];
    await offer(chain);
    await look();
    expect([authority.change, authority.trustAnchorsPem]).toEqual([undefined, chain.root.pem]);
  });

  it('a clock in doubt takes no new root and lets no old one go, and that is said', async () => {
    const { authority, chain, change, world, hold, look, offer, waiting, dataDir } =
      await setUpChange();
    hold('the clock: it says 2028');
    await offer(chain);
    await look();
    const [name = ''] = waiting();
    const receipt = dataDir.files.get(name.replace('.json', '.receipt.json'));
    expect(receipt).toContain('the clock: it says 2028');
    expect(authority.change).toBe(undefined);
    hold(undefined);
    world.proxies = [proxy({ state: 'pending' })];
    await look();
    expect(authority.change?.stage).toBe('trust');
    hold('the clock: it says 2028');
    world.proxies = [proxy()];
    await change.advance();
    expect(change.phase?.waitingFor).toEqual(['the clock: it says 2028']);
    hold(undefined);
    await change.advance();
    expect([authority.change, authority.trustAnchorsPem]).toEqual([undefined, chain.root.pem]);
  });

  it('a second one waits for the end of the first', async () => {
    const { change, chain, world, clock, look, offer, waiting } = await setUpChange();
    world.proxies = [proxy({ state: 'nacked' })];
    await offer(chain);
    await look();
    const tools = { clock, random: seededRandom('second'), keySource: generateKeys };
    const second: CaChain = await createCaChain(DOMAIN, tools);
    await offer(second);
    await look();
    expect(waiting()).toHaveLength(1);
    world.proxies = [];
    await change.advance();
    await look();
    expect(waiting()).toEqual([]);
  });

  it('with the same root is taken over at once: no stage begins, and none is logged', async () => {
    const { change, authority, chain, clock, world, logger, look, offer } = await setUpChange();
    await offer(chain);
    await look();
    const { changes } = world;
    const logged = logger.lines.length;
    world.proxies = [proxy()];
    await offer(await sameRoot(chain, clock));
    await look();
    expect([authority.trustAnchorsPem, authority.change]).toEqual([chain.root.pem, undefined]);
    expect(world.changes).toBe(changes + 1);
    expect(logger.lines.slice(logged).map(({ message }) => message)).toContain(
      'another CA was taken over',
    );
    expect(logger.lines.slice(logged).map(({ message }) => message)).not.toContain(
      'the root is being changed',
    );
    expect([change.phase, clock.pending]).toEqual([undefined, 0]);
  });

  it('damaged, it changes nothing and is reported', async () => {
    const { dataDir, authority, chain, look, offer, waiting, logger } = await setUpChange();
    const roots = authority.trustAnchorsPem;
    await offer(chain);
    const [name = ''] = waiting();
    const content = dataDir.files.get(name) ?? '';
    dataDir.files.set(name, content.replace('BEGIN CERT', 'BEGIN DIRT'));
    await look();
    expect(JSON.stringify(logger.lines)).toContain('an order was refused');
    expect(waiting()).toEqual([]);
    expect(authority.trustAnchorsPem).toBe(roots);
  });
});

describe('the old root is kept', () => {
  it('until the last certificate ends that was handed out under it', async () => {
    const { change, authority, chain, clock, handOut, look, offer } = await setUpChange();
    await handOut(2 * HOUR_MS, authority);
    await offer(chain);
    await look();
    expect(change.phase?.waitingFor).toEqual([
      'a certificate handed out until 2026-01-01T02:00:00.000Z',
    ]);
    clock.advance(HOUR_MS);
    await change.advance();
    expect(authority.change?.stage).toBe('sign');
    clock.advance(HOUR_MS);
    await change.advance();
    expect(authority.change).toBe(undefined);
  });

  it('while somebody may hold a bundle of it, until the operator ends it', async () => {
    const { dataDir, change, authority, chain, clock, look, offer, finish, waiting } =
      await setUpChange();
    await noteBundle(dataDir, { anchorsPem: authority.trustAnchorsPem, atMs: clock.now() });
    clock.advance(1);
    await offer(chain);
    await look();
    expect(change.phase?.waitingFor).toEqual([
      'whoever holds a bundle of the old root: countersign ca rotate --finish',
    ]);
    await finish('another root');
    await look();
    expect(authority.change?.stage).toBe('sign');
    await finish(authority.change?.oldRootSha256 ?? '');
    await look();
    expect([authority.change, waiting()]).toEqual([undefined, []]);
  });

  it('not for a bundle that has both', async () => {
    const { dataDir, change, authority, chain, world, clock, look, offer } = await setUpChange();
    world.proxies = [proxy({ state: 'nacked' })];
    await offer(chain);
    await look();
    clock.advance(1);
    await noteBundle(dataDir, { anchorsPem: authority.trustAnchorsPem, atMs: clock.now() });
    world.proxies = [proxy()];
    await change.advance();
    expect(authority.change).toBe(undefined);
  });
});

describe('a server that was killed', () => {
  it.each(['trust', 'sign'] as const)('goes on in stage %s', async (stage) => {
    const { authority, chain, world, open, look, offer } = await setUpChange();
    world.proxies = [stage === 'trust' ? proxy({ state: 'nacked' }) : proxy({ isCurrent: false })];
    await offer(chain);
    await look();
    expect(authority.change?.stage).toBe(stage);
    const again = await open();
    again.change.start();
    expect(again.authority.change).toEqual(authority.change);
    world.proxies = [proxy()];
    await again.change.advance();
    expect(again.authority.trustAnchorsPem).toBe(chain.root.pem);
  });

  it('between taking a chain over and removing it, takes it over once', async () => {
    const { dataDir, chain, world, open, look, offer, waiting } = await setUpChange();
    world.proxies = [proxy({ state: 'nacked' })];
    await offer(chain);
    const [name = ''] = waiting();
    const order = dataDir.files.get(name) ?? '';
    await look();
    dataDir.files.set(name, order);
    dataDir.files.delete(name.replace('.json', '.receipt.json'));
    const again = await open();
    again.change.start();
    await again.look();
    expect(waiting()).toEqual([]);
    expect(again.authority.describe()).toHaveLength(4);
  });

  it('whose disk was full waits for a proxy that came meanwhile', async () => {
    const { dataDir, change, authority, chain, world, clock, look, offer } = await setUpChange();
    world.proxies = [proxy({ state: 'pending' })];
    await offer(chain);
    await look();
    dataDir.beforeWrite = () => {
      throw diskFull();
    };
    world.proxies = [proxy()];
    await change.advance();
    dataDir.beforeWrite = () => undefined;
    world.proxies = [proxy(), proxy({ node: 'web~2', state: 'pending' })];
    clock.advance(5_000);
    await change.advance();
    expect([authority.change?.stage, change.phase?.waitingFor]).toEqual(['trust', ['web~2']]);
  });

  it('whose disk is full stays in its stage and goes on when there is room', async () => {
    const { dataDir, change, authority, chain, world, clock, logger, look, offer } =
      await setUpChange();
    world.proxies = [proxy({ state: 'pending' })];
    await offer(chain);
    await look();
    dataDir.beforeWrite = () => {
      throw diskFull();
    };
    world.proxies = [proxy()];
    await change.advance();
    expect(authority.change?.stage).toBe('trust');
    expect(JSON.stringify(logger.lines)).toContain('the change of root waits: it is tried again');
    dataDir.beforeWrite = () => undefined;
    clock.advance(5_000);
    await change.advance();
    expect(authority.trustAnchorsPem).toBe(chain.root.pem);
  });
});
