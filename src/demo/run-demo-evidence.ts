// What is read from Envoy and from the applications, in the words that the demo prints. Nothing
// here asks the management server: what it says of itself proves nothing.
import type { EchoAnswer } from './echo-app.js';
import type { HttpAnswer } from './http-client.js';
import type { DemoNode } from './run-demo-mesh.js';

/** Both ends of a call, as the server's sidecar names them to the application. */
export interface Xfcc {
  /** The server's own identity. */
  readonly by: string;
  /** The caller's. */
  readonly uri: string;
}

/** Reads `x-forwarded-client-cert` of one hop; undefined where there is none. */
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

/** What the application answered; undefined where something before it did. */
export function tryEcho({ status, body }: HttpAnswer): EchoAnswer | undefined {
  return status === 200 ? (JSON.parse(body) as EchoAnswer) : undefined;
}

/** Counts of the mTLS handshakes that a sidecar has completed as a server at its mesh port. */
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

/** Requests that the access rules of a sidecar have refused. */
export async function readRefusals({ envoy }: DemoNode): Promise<number> {
  const stats = await envoy.admin.stats('rbac.*\\.denied$|rbac\\.denied$');
  return [...stats.values()].reduce((sum, count) => sum + count, 0);
}

/**
 * Connections that no filter chain of the declared port takes, such as plain text at a STRICT port.
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

/** Names of the services that a sidecar has a way to, by its listeners. */
export async function readWays({ envoy }: DemoNode): Promise<readonly string[]> {
  const listeners = await envoy.admin.listeners();
  return listeners.flatMap(({ name }) => /^outbound:(.+)$/.exec(name)?.[1] ?? []).sort();
}
