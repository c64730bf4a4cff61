import { expect, it } from 'vitest';
import { Budgets } from '../../../../src/server/join/bounds/index.js';
import type { Sidecar } from '../../../../src/server/join/index.js';
import { FakeStream, fakeSidecar } from '../../../fakes/fake-stream.js';

// What sidecars may cost together, by who they proved to be.

const MIB = 1_048_576;

function setUp(heapMib: number) {
  const refused: string[] = [];
  const budgets = new Budgets({
    heapBytes: heapMib * MIB,
    onEnded: ({ stream }) => void refused.push(stream.auth.node),
    onRefused: (address) => void refused.push(address),
  });
  let last = 0;
  const open = (
    service: string,
    address: string,
    { tokenId = service, ...changes }: Partial<Sidecar> & { readonly tokenId?: string } = {},
  ) => {
    const sidecar = fakeSidecar(service, address, changes);
    const credential = { kind: 'token', id: tokenId, keyId: 'key', expiresAtMs: 0 } as const;
    const fake = new FakeStream({ ...sidecar, credential });
    last += 1;
    const stream = { ...fake.stream, id: last as typeof fake.stream.id };
    return { fake, account: budgets.open(stream) };
  };
  return { budgets, open, refused };
}

it('a node may cost 8 MiB: beyond it the heaviest of its streams is ended', () => {
  const { open, refused, budgets } = setUp(2_048);
  const first = open('web', '10.0.0.1');
  const second = open('web', '10.0.0.1');
  first.account.set(MIB);
  second.account.set(8 * MIB);
  expect(first.fake.closed).toBeUndefined();
  expect(second.fake.closed).toMatchObject({
    code: 'resource-limit',
    message: 'expected the streams of node "web~10.0.0.1" to cost at most 8388608 bytes together',
  });
  expect(refused).toEqual(['web~10.0.0.1']);
  expect(budgets.view).toMatchObject({ used: MIB, ended: 1, node: 8 * MIB });
});

it('a node has few streams: one more is refused, and those that it has stay', () => {
  const { open } = setUp(2_048);
  const streams = Array.from({ length: 8 }, () => open('web', '10.0.0.1'));
  expect(() => open('web', '10.0.0.1')).toThrow(
    'expected at most 8 streams of node "web~10.0.0.1"',
  );
  open('web', '10.0.0.2');
  streams[0]?.account.close();
  open('web', '10.0.0.1');
  expect(streams.map(({ fake }) => fake.closed)).toEqual(streams.map(() => undefined));
});

it('a static Envoy has a stream for each secret, beside the streams of its node’s sidecar', () => {
  const { open } = setUp(2_048);
  const own = { isStatic: true } as const;
  const streams = Array.from({ length: 32 }, () => open('web', '10.0.0.1', own));
  expect(() => open('web', '10.0.0.1', own)).toThrow(
    'expected at most 32 streams of node "web~10.0.0.1"',
  );
  open('web', '10.0.0.1').account.set(MIB);
  streams[0]?.account.set(8 * MIB);
  expect(streams[0]?.fake.closed, 'the node pays for both').toMatchObject({
    code: 'resource-limit',
  });
});

it('one token with a thousand names of instances pays for itself', () => {
  const { open, budgets } = setUp(256);
  const fleet = Array.from({ length: 50 }, (_, i) => open('web', `10.0.1.${i}`));
  for (const { account } of fleet) account.set(200_000);
  const ledger = open('ledger', '10.0.2.1');
  ledger.account.set(200_000);
  const hostile = Array.from({ length: 100 }, (_, i) =>
    open('web', `10.0.3.${i}`, { tokenId: 'stolen' }),
  );
  for (const { account } of hostile) account.set(6 * MIB);
  const { used, credential, all } = budgets.view;
  expect(used).toBeLessThan(credential + 60 * 200_000);
  expect(credential).toBe(Math.floor(all / 2));
  expect([...fleet, ledger].filter(({ fake }) => fake.closed !== undefined)).toEqual([]);
  expect(hostile.filter(({ fake }) => fake.closed !== undefined).length).toBeGreaterThan(90);
});
