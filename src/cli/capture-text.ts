// What `capture` says: what its rules do, and what they close.
import { CAPTURE_PORTS, type CaptureRules, isLoopback, type Listening } from '../capture/index.js';

/** A line for each direction that is captured. */
export function toDoneLines(rules: CaptureRules): readonly string[] {
  const ports = rules.exclude.length === 0 ? '' : `, port ${toList(rules.exclude)}`;
  return [
    ...(rules.inbound
      ? [
          `captured: TCP that arrives goes to port ${CAPTURE_PORTS.inbound}, but for ` +
            `loopback${ports}`,
        ]
      : []),
    ...(rules.outbound
      ? [
          `captured: TCP that leaves goes to port ${CAPTURE_PORTS.outbound}, but for user ` +
            `${rules.uid}, loopback, this host's own addresses${ports}`,
        ]
      : []),
  ];
}

function toList(ports: readonly number[]): string {
  return [...new Set(ports)].sort((a, b) => a - b).join(' and ');
}

/** Sockets of the sidecar itself: whoever calls there is meant to. */
const SIDECARS: ReadonlySet<number> = new Set(Object.values(CAPTURE_PORTS));

/** What can be reached from outside now, and with these rules only through the sidecar. */
export function toClosed(
  listening: readonly Listening[],
  { inbound, exclude }: CaptureRules,
): readonly Listening[] {
  if (!inbound) return [];
  return listening.filter(
    (one) => !isLoopback(one) && !exclude.includes(one.port) && !SIDECARS.has(one.port),
  );
}

/** Comments for `nft`, so that the whole output is a file of rules. */
export function toClosedLines(
  closed: readonly Listening[],
  holders: ReadonlyMap<string, string>,
): readonly string[] {
  if (closed.length === 0) return ['# nothing listens here that these rules close'];
  return [
    '# reached from outside only through the sidecar, and not at all while it is down:',
    ...closed.map(({ address, port, userId, inode }) => {
      const place = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
      return `#   ${place} ${holders.get(inode) ?? `a process of user ${userId}`}`;
    }),
  ];
}
