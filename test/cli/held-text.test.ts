import { expect, it } from 'vitest';
import { toHeldLines } from '../../src/cli/held-text.js';
import { fakeProxy } from '../fakes/fake-status.js';

it('who keeps the last good mesh is told in a line for each sidecar that rejected it', () => {
  const held = (node: string, heldBy: string) => fakeProxy(node, { state: 'held', heldBy });
  const rest = ['ledger~b', 'ledger~c'].map((node) => held(node, 'ledger~a'));
  const proxies = [fakeProxy('ledger~a'), ...rest, held('web~b', 'web~a'), fakeProxy('db~a')];
  expect(toHeldLines(proxies)).toEqual([
    'ledger~a was sent the new configuration first, and rejected it: ' +
      '2 proxies of its kind keep the last good one',
    'web~a was sent the new configuration first, and rejected it: ' +
      '1 proxy of its kind keeps the last good one',
  ]);
});

it('a server of before says nothing of it', () => {
  const { heldBy: _, ...old } = fakeProxy('ledger~a');
  expect(toHeldLines([old as never])).toEqual([]);
});
