import { describe, expect, it } from 'vitest';
import {
  type Authority,
  createCaChain,
  type Leaf,
  loadOrCreateAuthority,
} from '../../src/ca/index.js';
import { generateKeys } from '../../src/x509/keys/index.js';
import { ChainReader, readPeriods } from '../../src/x509/read/index.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { seededRandom } from '../fakes/seeded-random.js';
import { temporaryDataDir, WEB } from './tools.js';

const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;

async function create(seed: string) {
  const clock = new ManualClock();
  const dataDir = await temporaryDataDir();
  const random = seededRandom(seed);
  const trustDomain = 'shop.example';
  const { authority } = await loadOrCreateAuthority({ dataDir, clock, random, trustDomain });
  return { authority, clock, leaf: await issue(authority) };
}

function issue(authority: Authority): Promise<Leaf> {
  const request = { spiffeId: WEB, dnsNames: [], ttlMs: HOUR_MS, key: 'ecdsa-p256' } as const;
  return authority.issueLeaf(request);
}

describe('what stands above a leaf', () => {
  it('is its issuer and root, by their own periods; read once', async () => {
    const { authority, clock, leaf } = await create('chain');
    const chains = new ChainReader(authority.trustAnchorsPem);
    const [, issuer] = readPeriods(leaf.chainPem);
    const [root] = readPeriods(authority.trustAnchorsPem);
    const read = chains.read(leaf.chainPem);
    expect(read).toEqual({ issuer, root });
    expect(read.issuer?.endsAtMs).toBe(clock.now() + YEAR_MS);
    expect(read.root?.endsAtMs).toBe(clock.now() + 10 * YEAR_MS);
    expect(chains.read(leaf.chainPem)).toBe(read);
    expect(chains.anchors).toEqual([root]);
  });

  it('has no root where the anchors are of another authority', async () => {
    const { leaf } = await create('one');
    const { authority } = await create('two');
    const chains = new ChainReader(authority.trustAnchorsPem);
    expect(chains.read(leaf.chainPem)).toEqual({ issuer: undefined, root: undefined });
  });

  it('a root in the chain is no issuer', async () => {
    const { authority, leaf } = await create('chain');
    const [root] = readPeriods(authority.trustAnchorsPem);
    const [, issuer] = readPeriods(leaf.chainPem);
    const chains = new ChainReader(authority.trustAnchorsPem);
    expect(chains.read(leaf.chainPem + authority.trustAnchorsPem)).toEqual({ issuer, root });
  });

  it('a new root, signed by the old one: the longer way counts where both do', async () => {
    const { authority, clock } = await create('change');
    const oldAnchorPem = authority.trustAnchorsPem;
    const [old] = readPeriods(oldAnchorPem);
    clock.advance(5 * YEAR_MS);
    const tools = { clock, random: seededRandom('next'), keySource: generateKeys };
    await authority.beginChange(await createCaChain('shop.example', tools));
    await authority.signByNew();
    const { chainPem } = await issue(authority);
    const [leaf, issuer, cross, ...rest] = readPeriods(chainPem);
    expect([cross?.endsAtMs, rest]).toEqual([(leaf?.endsAtMs ?? 0) + HOUR_MS, []]);
    const both = new ChainReader(authority.trustAnchorsPem);
    const next = both.anchors.find(({ endsAtMs }) => endsAtMs === clock.now() + 10 * YEAR_MS);
    expect(next).toBeDefined();
    expect(both.read(chainPem)).toEqual({ issuer, root: next });
    const through = { ...issuer, endsAtMs: cross?.endsAtMs };
    expect(new ChainReader(oldAnchorPem).read(chainPem)).toEqual({ issuer: through, root: old });
  });

  it('a leaf right under an anchor has no issuer but that', async () => {
    const { leaf } = await create('chain');
    const begin = '-----BEGIN CERTIFICATE-----';
    const cut = leaf.chainPem.indexOf(begin, begin.length);
    const [alone, issuerPem] = [leaf.chainPem.slice(0, cut), leaf.chainPem.slice(cut)];
    const [root] = readPeriods(issuerPem);
    expect(new ChainReader(issuerPem).read(alone)).toEqual({ issuer: undefined, root });
  });
});
