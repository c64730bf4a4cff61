// Ports of a service, of the short form (`127.0.0.1:8000-8002:80-82/tcp`), the long one, and what
// Compose makes of them: one entry for each port of the container.
import type { ComposePort } from './compose-project.js';
import { isMap, newMap, textOf, type Value } from './values.js';

/** A range with more ports than there are is a slip. */
const MAX_PORT = 65_535;
const SHORT = new RegExp(
  '^(?:(?<ip>\\[[^\\]]*\\]|[^:[\\]]*):)?(?:(?<published>[\\d-]*):)?' +
    '(?<target>[\\d-]+)(?:/(?<protocol>\\w+))?$',
);

interface Range {
  readonly first: number;
  readonly last: number;
}

/** The ports of one entry, or undefined where it is none. */
export function toPorts(entry: Value): ComposePort[] | undefined {
  return isMap(entry) ? fromLong(entry) : fromShort(textOf(entry) ?? '');
}

function fromShort(text: string): ComposePort[] | undefined {
  const { ip, published = '', target = '', protocol = 'tcp' } = partsOf(text) ?? {};
  const targets = toRange(target);
  const hosts = published === '' ? undefined : toRange(published);
  const name = protocol.toLowerCase();
  if (targets === undefined || !isProtocol(name)) return undefined;
  if (published !== '' && hosts === undefined) return undefined;
  const count = targets.last - targets.first;
  const isOneToOne = hosts === undefined || hosts.last - hosts.first === count;
  if (!isOneToOne && count > 0) return undefined;
  return Array.from({ length: count + 1 }, (_, i) => {
    return toPort({
      target: targets.first + i,
      published: hosts === undefined ? undefined : isOneToOne ? `${hosts.first + i}` : published,
      hostIp: ip === undefined || ip === '' ? undefined : ip.replace(/^\[|\]$/g, ''),
      protocol: name,
    });
  });
}

/** `8080:80` has no address: what stands before one colon is the host's port. */
function partsOf(text: string): Record<string, string | undefined> | undefined {
  const groups = SHORT.exec(text)?.groups;
  if (groups === undefined) return undefined;
  const { ip, published, ...rest } = groups as Record<string, string | undefined>;
  return published === undefined ? { ...rest, published: ip } : { ...rest, ip, published };
}

function toRange(text: string): Range | undefined {
  const [, first = '', last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? [];
  const range = { first: Number(first), last: Number(last) };
  return first !== '' && range.first <= range.last && range.last <= MAX_PORT ? range : undefined;
}

function fromLong(entry: Value): ComposePort[] | undefined {
  if (!isMap(entry)) return undefined;
  const target = toRange(textOf(entry['target']) ?? '');
  const protocol = (textOf(entry['protocol']) ?? 'tcp').toLowerCase();
  if (target === undefined || target.first !== target.last || !isProtocol(protocol)) {
    return undefined;
  }
  const published = textOf(entry['published']);
  const port = toPort({
    target: target.first,
    published: published === '' ? undefined : published,
    hostIp: textOf(entry['host_ip']),
    protocol,
  });
  const raw = Object.assign(newMap(), port.raw, entry, { target: port.target, protocol });
  return [{ ...port, raw: published === undefined ? raw : Object.assign(raw, { published }) }];
}

function isProtocol(text: string): text is ComposePort['protocol'] {
  return text === 'tcp' || text === 'udp' || text === 'sctp';
}

function toPort(port: Omit<ComposePort, 'raw'>): ComposePort {
  const raw = Object.assign(newMap(), {
    mode: 'ingress',
    ...(port.hostIp === undefined ? {} : { host_ip: port.hostIp }),
    target: port.target,
    ...(port.published === undefined ? {} : { published: port.published }),
    protocol: port.protocol,
  });
  return { ...port, raw };
}

/** By the container's port; each only once. */
export function sortPorts(ports: readonly ComposePort[]): ComposePort[] {
  const byKey = new Map(ports.map((port) => [portKey(port), port]));
  return [...byKey.entries()]
    .sort(([a, one], [b, other]) => one.target - other.target || (a < b ? -1 : 1))
    .map(([, port]) => port);
}

export function portKey({ target, published, hostIp, protocol }: ComposePort): string {
  return [protocol, hostIp ?? '', published ?? '', target].join(' ');
}

/** The TCP ports of `expose`; undefined where an entry is none. */
export function toExposed(entry: Value): number[] | undefined {
  const [, range = '', protocol = 'tcp'] = /^([\d-]+)(?:\/(\w+))?$/.exec(textOf(entry) ?? '') ?? [];
  const ports = toRange(range);
  if (ports === undefined) return undefined;
  if (protocol.toLowerCase() !== 'tcp') return [];
  return Array.from({ length: ports.last - ports.first + 1 }, (_, i) => ports.first + i);
}
