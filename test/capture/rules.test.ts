import { expect, test } from 'vitest';
import { toRules, UNDO_RULES } from '../../src/capture/rules.js';

const BOTH = { inbound: true, outbound: true, exclude: [22], uid: 10_001 };

test('both directions', () => {
  expect(toRules(BOTH)).toBe(`add table inet countersign
delete table inet countersign
table inet countersign {
  chain inbound {
    type nat hook prerouting priority dstnat; policy accept;
    iifname "lo" return
    fib daddr type != local return
    tcp dport { 22 } return
    meta l4proto tcp counter redirect to :15006
  }

  chain arrived {
    type filter hook input priority filter; policy accept;
    iifname "lo" return
    tcp dport { 22, 15006 } return
    tcp flags & (syn | ack) == syn counter drop
  }

  chain outbound {
    type nat hook output priority -100; policy accept;
    meta skuid 10001 return
    oifname "lo" return
    fib daddr type local return
    tcp dport { 22 } return
    meta l4proto tcp counter redirect to :15001
  }
}
`);
});

test('each direction alone has the chains of its own, and the whole of the old table goes', () => {
  const chains = (text: string) => [...text.matchAll(/chain (\w+)/g)].map(([, name]) => name);
  const inbound = toRules({ ...BOTH, outbound: false });
  const outbound = toRules({ ...BOTH, inbound: false });
  expect(chains(inbound)).toEqual(['inbound', 'arrived']);
  expect(chains(outbound)).toEqual(['outbound']);
  for (const text of [inbound, outbound]) expect(text.startsWith(UNDO_RULES)).toBe(true);
});

test('ports in any order and number are one set, and none are no rule', () => {
  const text = toRules({ ...BOTH, exclude: [8080, 22, 22], uid: 7 });
  expect(text).toContain('    tcp dport { 22, 8080 } return\n');
  expect(text).toContain('    tcp dport { 22, 8080, 15006 } return\n');
  expect(text).toContain('    meta skuid 7 return\n');
  const all = toRules({ ...BOTH, exclude: [] });
  expect(all.match(/tcp dport/g)).toHaveLength(1);
});
