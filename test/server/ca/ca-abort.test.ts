// `ca abort` after the new root signed, as the server carries it out.
import { expect, it } from 'vitest';
import { noteBundle } from '../../../src/ca/change/index.js';
import { readCertificate, splitPem } from '../../../src/x509/read/index.js';
import { activated, HOUR_MS, prepared, proxy, STALE } from './change-world.js';

it('aborted: leaves come from the old root again, then the new one goes', async () => {
  const { authority, change, world, look, steer, chain, oldRoots } = await activated();
  const issued = await authority.issueLeaf({
    ...{ spiffeId: 'spiffe://shop.example/ns/default/sa/web' as never, dnsNames: [] },
    ...{ ttlMs: HOUR_MS, key: 'ecdsa-p256' },
  });
  expect(await steer('abort', { look })).toMatchObject({ state: 'done' });
  expect(authority.change).toMatchObject({ stage: 'sign', isBack: true });
  expect(authority.trustAnchorsPem).toBe(oldRoots + chain.root.pem);
  expect(authority.vouchesFor(issued.chainPem)).toBe(true);
  expect(authority.isCurrent(issued.chainPem)).toBe(false);
  expect(change.phase).toMatchObject({ stage: 'back', waitingFor: ['web~1'] });
  world.proxies = [proxy()];
  await change.advance();
  expect([authority.change, authority.trustAnchorsPem]).toEqual([undefined, oldRoots]);
  // Nothing leads from the old root to the new one for longer than what that has signed.
  const ends = splitPem(issued.chainPem).map((der) => readCertificate(der).notAfterMs);
  expect(ends).toHaveLength(3);
  expect(ends[2]).toBe((ends[0] ?? 0) + HOUR_MS);
});

it('aborted: waits for what the new root gave to clients alone', async () => {
  const { authority, change, world, look, steer, handOut, clock } = await prepared();
  await handOut(20 * HOUR_MS, authority);
  world.proxies = [STALE];
  await steer('sign', { look });
  await handOut(2 * HOUR_MS, authority);
  clock.advance(HOUR_MS);
  await steer('abort', { look });
  world.proxies = [proxy()];
  await change.advance();
  expect(change.phase?.waitingFor).toEqual([
    'a certificate handed out until 2026-01-01T02:00:00.000Z',
  ]);
  clock.advance(HOUR_MS);
  await change.advance();
  expect(authority.change).toBe(undefined);
});

it('aborted: does not wait for a bundle that has the old root', async () => {
  const { authority, change, world, look, steer, dataDir, clock } = await activated();
  await noteBundle(dataDir, { anchorsPem: authority.trustAnchorsPem, atMs: clock.now() });
  await steer('abort', { look });
  world.proxies = [proxy()];
  await change.advance();
  expect(authority.change).toBe(undefined);
});

it('aborted: goes no other way any more, and not back twice', async () => {
  const { authority, look, steer } = await activated();
  await steer('abort', { look });
  const before = authority.change;
  for (const step of ['sign', 'end', 'taint'] as const) {
    expect(await steer(step, { look })).toMatchObject({
      state: 'refused',
      error: { message: 'expected a change of root that goes on but it was taken back' },
    });
  }
  expect(await steer('abort', { look })).toMatchObject({ state: 'done' });
  expect(authority.change).toEqual(before);
});

it('aborted: is refused once the old root is gone', async () => {
  const { authority, change, world, look, steer } = await activated();
  await steer('end', { look });
  world.proxies = [proxy()];
  await change.advance();
  expect(authority.change).toBe(undefined);
  expect(await steer('abort', { look })).toMatchObject({
    state: 'refused',
    error: { message: 'expected an old root to go back to but it is gone' },
  });
});

it('aborted: is refused where the old chain can not sign any more, and says why', async () => {
  const { authority, look, steer, clock } = await activated();
  clock.jump(11 * 365 * 24 * HOUR_MS);
  const before = authority.trustAnchorsPem;
  expect(await steer('abort', { look })).toMatchObject({
    state: 'refused',
    error: { message: expect.stringMatching(/^the root ended 20/) },
  });
  expect(authority.trustAnchorsPem).toBe(before);
});

it('aborted: while its end is being stored, drops neither root', async () => {
  const { authority, change, world, look, steer, chain } = await activated();
  await steer('end', { look });
  world.proxies = [proxy()];
  // The end is decided and the operator's word comes: whichever is stored first counts.
  const ended = change.advance();
  const answer = await steer('abort', { look });
  await ended;
  const roots = authority.trustAnchorsPem;
  if (answer?.state === 'refused') expect(roots).toBe(chain.root.pem);
  else expect(authority.change).toMatchObject({ isBack: true });
  expect(['refused', 'done']).toContain(answer?.state);
});
