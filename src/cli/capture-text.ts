// What `capture` says: what its rules do, and what they close.
import { CAPTURE_PORTS, type CaptureRules, isLoopback, type Listening } from '../capture/index.js';
import type { Service } from '../policy/index.js';

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

interface Closed {
  readonly closed: readonly Listening[];
  /** By inode: who listens. */
  readonly holders: ReadonlyMap<string, string>;
  /** Whose application that is; undefined: nobody said. */
  readonly service: Service | undefined;
}

/** Comments for `nft`, so that the whole output is a file of rules. */
export function toClosedLines({ closed, holders, service }: Closed): readonly string[] {
  if (closed.length === 0) return ['# nothing listens here that these rules close'];
  return [
    '# reached from outside only through the sidecar, and not at all while it is down:',
    ...closed.map(({ address, port, userId, inode }) => {
      const place = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
      const holder = holders.get(inode) ?? `a process of user ${userId}`;
      return `#   ${place} ${holder}${service === undefined ? '' : `, ${toFate(service, port)}`}`;
    }),
  ];
}

function toFate({ ports, capture }: Service, port: number): string {
  if (ports.some(({ number }) => number === port)) return 'declared';
  return capture.undeclared === 'pass' ? 'undeclared: passed in plain text' : 'undeclared: closed';
}
