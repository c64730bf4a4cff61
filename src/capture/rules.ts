// The rules of transparent capture, as text for `nft -f`. The kernel takes the text as a whole or
// not at all, and its first two lines make it say the same however often it is read: a table that
// may be missing is added, and what there was is deleted.
//   inbound:  TCP that arrives from outside at any address of this host goes to the sidecar
//   arrived:  and whatever else would open a connection is dropped: what another table sent
//             elsewhere, or what the kernel doesn't track
//   outbound: TCP that leaves goes to the sidecar, but for the sidecar's own
// What stays on this host is left alone, in both directions: the loopback interface, and with it
// Docker's name server at 127.0.0.11. So are UDP and ICMP.
import { CAPTURE_PORTS } from './ports.js';

export interface CaptureRules {
  readonly inbound: boolean;
  readonly outbound: boolean;
  /** Ports that are left alone, in both directions. */
  readonly exclude: readonly number[];
  /** The user that runs the sidecar, whose calls go out as they are; undefined: nobody's do. */
  readonly uid: number | undefined;
}

const TABLE = 'inet countersign';

/** Takes the rules away, if there are any. */
export const UNDO_RULES = `add table ${TABLE}\ndelete table ${TABLE}\n`;

/** Tells whether there are rules. */
export const LIST_ARGS: readonly string[] = ['list', 'table', ...TABLE.split(' ')];

export function toRules(rules: CaptureRules): string {
  const chains = [
    ...(rules.inbound ? [toInbound(rules), toArrived(rules)] : []),
    ...(rules.outbound ? [toOutbound(rules)] : []),
  ];
  return `${UNDO_RULES}table ${TABLE} {\n${chains.join('\n')}}\n`;
}

function toInbound({ exclude }: CaptureRules): string {
  return toChain('inbound', 'type nat hook prerouting priority dstnat; policy accept;', [
    'iifname "lo" return',
    // What is only forwarded belongs to another host, or to a container of this one.
    'fib daddr type != local return',
    ...toExcluded(exclude),
    `meta l4proto tcp counter redirect to :${CAPTURE_PORTS.inbound}`,
  ]);
}

function toArrived({ exclude }: CaptureRules): string {
  return toChain('arrived', 'type filter hook input priority filter; policy accept;', [
    'iifname "lo" return',
    ...toExcluded([...exclude, CAPTURE_PORTS.inbound]),
    'tcp flags & (syn | ack) == syn counter drop',
  ]);
}

function toOutbound({ exclude, uid }: CaptureRules): string {
  return toChain('outbound', 'type nat hook output priority -100; policy accept;', [
    ...(uid === undefined ? [] : [`meta skuid ${uid} return`]),
    'oifname "lo" return',
    'fib daddr type local return',
    ...toExcluded(exclude),
    `meta l4proto tcp counter redirect to :${CAPTURE_PORTS.outbound}`,
  ]);
}

function toExcluded(ports: readonly number[]): readonly string[] {
  if (ports.length === 0) return [];
  const sorted = [...new Set(ports)].sort((a, b) => a - b);
  return [`tcp dport { ${sorted.join(', ')} } return`];
}

function toChain(name: string, hook: string, lines: readonly string[]): string {
  const body = [hook, ...lines].map((line) => `    ${line}\n`).join('');
  return `  chain ${name} {\n${body}  }\n`;
}
