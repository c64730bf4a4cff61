// A new root over a thousand sidecars stood still for minutes, at full CPU: a waking began only the
// renewals that it came to within its first millisecond.
import { expect, it } from 'vitest';
import { type Authority, loadOrCreateAuthority } from '../../src/ca/index.js';
import { LeafManager, type LeafSettings } from '../../src/leaves/index.js';
import { toNodeId } from '../../src/spiffe/index.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { seededRandom } from '../fakes/seeded-random.js';
import { MemoryDataDir, WEB } from '../x509/tools.js';

const SETTINGS: LeafSettings = {
  ...{ spiffeId: WEB, dnsNames: ['web'], ttlMs: 86_400_000 },
  ...{ key: 'ecdsa-p256', renewAt: 0.5, jitter: 0.05 },
};
const NODES = Array.from({ length: 12 }, (_, i) =>
  toNodeId({ service: 'web', instance: `10.0.0.${i + 1}` }),
);

/** Without end, it would look again and again. */
const MOST_LOOKS = 300_000;

/** Looking takes time, as it does where there are many leaves to look at. */
class SlowClock extends ManualClock {
  isSlow = false;
  #looks = 0;

  override now(): number {
    if (++this.#looks > MOST_LOOKS) throw new Error('expected an end of looking but got none');
    if (this.isSlow) this.jump(1);
    return super.now();
  }
}

it('leaves that are due are all renewed at one waking, however long it looks at them', async () => {
  const [clock, random, dataDir] = [new SlowClock(), seededRandom('many'), new MemoryDataDir()];
  const trustDomain = 'shop.example';
  const { authority } = await loadOrCreateAuthority({ dataDir, clock, random, trustDomain });
  const old = new Set<string>();
  const changed = withRootOf(authority, (chainPem) => !old.has(chainPem));
  const manager = new LeafManager({
    ...{ authority: changed, dataDir, clock, random },
    onProblem: () => undefined,
  });
  await Promise.all(NODES.map((node) => manager.ensure(node, SETTINGS)));
  const before = NODES.map((node) => manager.get(node)?.serialHex);
  for (const node of NODES) old.add(manager.get(node)?.chainPem ?? '');
  clock.isSlow = true;
  manager.reconsider();
  clock.advance(1);
  clock.isSlow = false;
  await Promise.all(NODES.map((node) => manager.ensure(node, SETTINGS)));
  const after = NODES.map((node) => manager.get(node)?.serialHex);
  expect(after.filter((serial, index) => serial === before[index])).toEqual([]);
  await manager.close();
});

/** The same authority, which says itself which leaves are of the root that signs now. */
function withRootOf(authority: Authority, isCurrent: Authority['isCurrent']): Authority {
  return new Proxy(authority, {
    get(target, key) {
      if (key === 'isCurrent') return isCurrent;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
