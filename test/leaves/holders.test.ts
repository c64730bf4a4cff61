import { expect, it } from 'vitest';
import { type Leaf, loadOrCreateAuthority } from '../../src/ca/index.js';
import { CertificateOwners, LeafStore, recordHandedOut } from '../../src/leaves/index.js';
import type { NodeId } from '../../src/spiffe/index.js';
import { parseSpiffeId } from '../../src/spiffe/index.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { seededRandom } from '../fakes/seeded-random.js';
import { MemoryDataDir } from '../x509/tools.js';

async function setUp() {
  const dataDir = new MemoryDataDir();
  const clock = new ManualClock();
  const random = seededRandom('holders');
  const trustDomain = 'shop.example';
  const { authority } = await loadOrCreateAuthority({ dataDir, clock, random, trustDomain });
  const spiffeId = parseSpiffeId('spiffe://shop.example/ns/default/sa/web');
  const issue = (): Promise<Leaf> =>
    authority.issueLeaf({ spiffeId, dnsNames: [], ttlMs: 3_600_000, key: 'ecdsa-p256' });
  const store = new LeafStore(dataDir);
  const save = async (node: NodeId, addresses?: readonly string[]): Promise<string> => {
    const leaf = await issue();
    const reach = addresses === undefined ? 'anywhere' : new Set(addresses);
    await store.save(node, leaf, { nowMs: clock.now(), shown: new Set(), reach });
    return leaf.serialHex;
  };
  const hand = async (node?: NodeId): Promise<string> => {
    const certificate = await issue();
    const bound = node === undefined ? {} : { node };
    await recordHandedOut(dataDir, { certificate, service: 'web', ...bound });
    return certificate.serialHex;
  };
  return { dataDir, store, save, hand, owners: new CertificateOwners(dataDir, clock) };
}

it("a sidecar's leaf is its node's alone, the ones before it too", async () => {
  const { save, owners } = await setUp();
  const earlier = await save('web~thief');
  const present = await save('web~thief');
  const other = await save('web~other');
  expect(await owners.ownerOf(earlier)).toEqual({ node: 'web~thief' });
  expect(await owners.ownerOf(present)).toEqual({ node: 'web~thief' });
  expect(await owners.ownerOf(other)).toEqual({ node: 'web~other' });
});

it("a leaf that was issued after the last look is its node's all the same", async () => {
  const { save, owners } = await setUp();
  const first = await save('web~one');
  await owners.ownerOf(first);
  expect(await owners.ownerOf(await save('web~two'))).toEqual({ node: 'web~two' });
});

it('what was handed out is for its node, or for any of its service', async () => {
  const { hand, owners } = await setUp();
  expect(await owners.ownerOf(await hand('web~one'))).toEqual({ node: 'web~one' });
  expect(await owners.ownerOf(await hand())).toEqual({ node: undefined });
});

it("a serial that nobody has a record of is nobody's", async () => {
  const { owners } = await setUp();
  expect(await owners.ownerOf('0a')).toBeUndefined();
});

it('a leaf that was had by a token of some addresses is good for no others', async () => {
  const { save, store, owners } = await setUp();
  const earlier = await save('web~a', ['10.0.0.7']);
  const present = await save('web~a', ['10.0.0.8']);
  expect(await owners.ownerOf(earlier)).toEqual({ node: 'web~a', addresses: ['10.0.0.7'] });
  expect(await owners.ownerOf(present)).toEqual({ node: 'web~a', addresses: ['10.0.0.8'] });
  const shown = new Set<string>();
  await store.noteHolders('web~a', { shown, reach: new Set(['10.0.0.9']) });
  const both = { node: 'web~a', addresses: ['10.0.0.8', '10.0.0.9'] };
  expect(await owners.ownerOf(present)).toEqual(both);
  await store.noteHolders('web~a', { shown, reach: 'anywhere' });
  expect(await owners.ownerOf(present)).toEqual({ node: 'web~a' });
  await store.noteHolders('web~a', { shown, reach: new Set(['10.0.0.9']) });
  expect(await owners.ownerOf(present)).toEqual({ node: 'web~a' });
});
