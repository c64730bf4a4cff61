// Reads from Envoy and from the applications what the demo prints. Nothing here asks the management
// server, since what it says about itself proves nothing.
import type { EchoAnswer } from './echo-app.js';
import type { HttpAnswer } from './http-client.js';
import type { DemoNode } from './run-demo-mesh.js';

/** Both ends of a call, as the callee's sidecar names them to the application. */
export interface Xfcc {
  /** The callee's own identity. */
  readonly by: string;
  /** The caller's. */
  readonly uri: string;
}

/** Reads `x-forwarded-client-cert` of one hop; undefined if there is none. */
export function tryXfcc(header: string | readonly string[] | undefined): Xfcc | undefined {
  if (typeof header !== 'string') return undefined;
  const fields = new Map(
    header.split(';').map((field) => {
      const [name = '', ...value] = field.split('=');
      return [name.toLowerCase(), value.join('=')];
    }),
  );
  return { by: fields.get('by') ?? '', uri: fields.get('uri') ?? '' };
}

/** What the application answered; undefined if something in front of it answered. */
export function tryEcho({ status, body }: HttpAnswer): EchoAnswer | undefined {
  return status === 200 ? (JSON.parse(body) as EchoAnswer) : undefined;
}

/** How many mTLS handshakes a sidecar has completed at its mesh port. */
export async function readMeshHandshakes({ envoy }: DemoNode): Promise<number> {
  return envoy.admin.stat('listener.mesh.ssl.handshake');
}

/** Protocol version and key exchange that a sidecar's mesh port has agreed on so far. */
export async function readMeshTls({ envoy }: DemoNode): Promise<string> {
  const stats = await envoy.admin.stats('^listener\\.mesh\\.ssl\\.(versions|curves)\\.');
  const used = [...stats].filter(([, count]) => count > 0);
  const names = used.map(([name]) => name.replace(/^.*\.(versions|curves)\./, ''));
  return names.sort().join(', ');
}

/** How many requests a sidecar's access rules have refused. */
export async function readRefusals({ envoy }: DemoNode): Promise<number> {
  const stats = await envoy.admin.stats('rbac.*\\.denied$|rbac\\.denied$');
  return [...stats.values()].reduce((sum, count) => sum + count, 0);
}

/**
 * Connections that no filter chain of the declared port takes, such as plain text at a strict port.
 */
export async function readUnmatched({ envoy, port }: DemoNode): Promise<number> {
  return envoy.admin.stat(`listener.inbound_${port}.no_filter_chain_match`);
}

export interface LeafInUse {
  /** Hex, lower case, without leading zeroes. */
  readonly serial: string;
  readonly spiffeId: string;
  /** RFC 3339. */
  readonly expires: string;
}

/** The leaves that a sidecar holds at this moment, each once. */
export async function readLeaves({ envoy }: DemoNode): Promise<readonly LeafInUse[]> {
  const leaves = new Map<string, LeafInUse>();
  for (const { leaf } of await envoy.admin.certificates()) {
    for (const { serial_number, subject_alt_names, expiration_time } of leaf) {
      const serial = toSerial(serial_number);
      const spiffeId = subject_alt_names.find(({ uri }) => uri !== undefined)?.uri ?? '';
      leaves.set(serial, { serial, spiffeId, expires: expiration_time });
    }
  }
  return [...leaves.values()];
}

/** Envoy and OpenSSL write serials in different ways. */
export function toSerial(hex: string): string {
  return hex.toLowerCase().replace(/^0+/, '');
}

/** Names of the services that a sidecar can reach, according to its listeners. */
export async function readWays({ envoy }: DemoNode): Promise<readonly string[]> {
  const listeners = await envoy.admin.listeners();
  return listeners.flatMap(({ name }) => /^outbound:(.+)$/.exec(name)?.[1] ?? []).sort();
}
