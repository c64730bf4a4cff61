// Addresses in a mesh: where an application listens, and endpoints that have no sidecar.
import { isIP } from 'node:net';
import { expected, type Parsed, parsed } from './parsed.js';

export interface Target {
  /** An IP address, or a DNS name that the sidecar resolves. */
  readonly address: string;
  readonly port: number;
}

export interface EndpointText {
  readonly host: string;
  readonly isIp: boolean;
  readonly port: number | undefined;
}

const LARGEST_PORT = 65_535;
const DECIMAL = /^[1-9][0-9]{0,4}$/;
const WITH_PORT = /^(?:\[(?<v6>[^\]]*)\]|(?<host>[^:[\]]*)):(?<port>[^:]*)$/;
/** RFC 1123 section 2.1; underscores occur in names of containers. */
const DNS_LABEL = /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/;
const DNS_NAME_LIMIT = 253;

/** 1 to 65535 in decimal digits, or undefined. */
export function tryPort(text: string): number | undefined {
  const port = DECIMAL.test(text) ? Number(text) : LARGEST_PORT + 1;
  return port > LARGEST_PORT ? undefined : port;
}

/** `127.0.0.1:9080`, `[::1]:9080`, `10.0.3.7:9080`, `ledger-application:9080`. */
export function tryTarget(text: string): Parsed<Target> {
  const { host, port, bracketed } = split(text);
  const number = port === undefined ? undefined : tryPort(port);
  const isIp = isAddress(host);
  const fits = isIp ? bracketed === (isIP(host) === 6) : !bracketed && isTargetName(host);
  if (number === undefined || !fits) {
    const hint = targetHint(text, host);
    return expected('an IP address or DNS name, with a port, such as 127.0.0.1:9080', hint);
  }
  return parsed({ address: host, port: number });
}

/**
 * A name for loopback is none: a sidecar calls those addresses from another one than 127.0.0.1,
 * which it can't do for a name that may lead anywhere.
 */
function isTargetName(host: string): boolean {
  return isDnsName(host) && !isLocalhost(host);
}

function isLocalhost(host: string): boolean {
  return /^(?:.*\.)?localhost(?:\.localdomain)?$/i.test(host);
}

function targetHint(text: string, host: string): string | undefined {
  if (isLocalhost(host)) return `write 127.0.0.1 or [::1] for ${host}`;
  if (text.includes('://')) return 'leave out the scheme';
  if (isIP(host) !== 0 && !isAddress(host) && !host.includes('%')) {
    return 'nothing can be called at an unspecified address: write 127.0.0.1 or [::1]';
  }
  const bare = text.startsWith(':') ? text.slice(1) : text;
  return tryPort(bare) === undefined ? undefined : `write 127.0.0.1:${bare}`;
}

/** `10.0.3.7`, `10.0.3.7:3307`, `fd00::7`, `[fd00::7]:3307`, `db.internal`, `db.internal:3307`. */
export function tryEndpoint(text: string): Parsed<EndpointText> {
  const whole = isIP(text) === 6 ? { host: text, port: undefined, bracketed: true } : split(text);
  const port = whole.port === undefined ? undefined : tryPort(whole.port);
  const badPort = whole.port !== undefined && port === undefined;
  const isIp = isAddress(whole.host);
  const fits = isIp ? whole.bracketed === (isIP(whole.host) === 6) : isDnsName(whole.host);
  if (badPort || !fits || (!isIp && whole.bracketed)) {
    return expected('an IP address or DNS name, with or without a port', endpointHint(text));
  }
  return parsed({ host: whole.host, isIp, port });
}

function endpointHint(text: string): string | undefined {
  return text.includes('://') ? 'leave out the scheme' : undefined;
}

function split(text: string): { host: string; port: string | undefined; bracketed: boolean } {
  const groups = WITH_PORT.exec(text)?.groups;
  if (groups === undefined) return { host: text, port: undefined, bracketed: false };
  const v6 = groups['v6'];
  return { host: v6 ?? groups['host'] ?? '', port: groups['port'], bracketed: v6 !== undefined };
}

/** An IP address that a connection can go to: not the unspecified one, without a zone. */
function isAddress(host: string): boolean {
  if (isIP(host) === 0 || host.includes('%')) return false;
  return host !== '0.0.0.0' && !/^[0:]*$/.test(host);
}

function isDnsName(host: string): boolean {
  const labels = host.split('.');
  const last = labels.at(-1) ?? '';
  // A name that ends in a number is a mistyped address (RFC 1123 section 2.1).
  if (host.length > DNS_NAME_LIMIT || /^[0-9]+$/.test(last)) return false;
  return labels.every((label) => DNS_LABEL.test(label));
}
