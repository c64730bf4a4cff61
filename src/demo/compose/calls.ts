// The calls of the compose demo, one for each protocol. What is said of an answer is what the
// application itself saw.
import { Client, credentials, status } from '@grpc/grpc-js';
import { grpc } from '../../gen/wire.js';
import { HEALTH_SERVICE } from '../../grpc/index.js';
import type { EchoAnswer } from '../echo-app.js';
import { httpCall } from '../http-client.js';
import { tryXfcc } from '../run-demo-evidence.js';
import { tcpExchange } from '../tcp-client.js';
import { withDeadline } from '../wait.js';
import { type Outcome, toOutcome } from './outcome.js';

export const PROTOCOLS = ['http', 'tcp', 'grpc'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

export interface CallTarget {
  readonly protocol: Protocol;
  /** A name or an address. */
  readonly host: string;
  readonly port: number;
}

const TIMEOUT_MS = 3_000;
/** What a sidecar writes in front of an application that it can't reach, or may not. */
const REFUSALS = new Map([
  [403, 'refused by the access rules (403)'],
  [503, 'not reached (503)'],
]);

/** One call; never rejects. */
export function callOnce({ protocol, host, port }: CallTarget): Promise<Outcome> {
  const target = { address: host, port, timeoutMs: TIMEOUT_MS };
  const calls: Record<Protocol, () => Promise<Outcome>> = {
    http: () => overHttp(target),
    tcp: () => overTcp(target),
    grpc: () => overGrpc(target),
  };
  return toOutcome(calls[protocol]);
}

interface Target {
  readonly address: string;
  readonly port: number;
  readonly timeoutMs: number;
}

async function overHttp(target: Target): Promise<Outcome> {
  const answer = await httpCall(target);
  if (answer.status !== 200) {
    return { ok: false, text: REFUSALS.get(answer.status) ?? `answered ${answer.status}` };
  }
  const { headers } = JSON.parse(answer.body) as EchoAnswer;
  const identities = tryXfcc(headers['x-forwarded-client-cert']);
  if (identities === undefined) return { ok: true, text: '200, in plain text, by nobody known' };
  return { ok: true, text: `200, mTLS, ${identities.uri} to ${identities.by}` };
}

async function overTcp(target: Target): Promise<Outcome> {
  const { received } = await tcpExchange({
    ...target,
    send: 'ping\n',
    until: (text) => text.endsWith('\n'),
  });
  return { ok: true, text: `answered "${received.trimEnd()}"` };
}

/** grpc.health.v1.HealthCheckResponse.ServingStatus */
const SERVING = 1;

async function overGrpc({ address, port, timeoutMs }: Target): Promise<Outcome> {
  const client = new Client(`dns:///${address}:${port}`, credentials.createInsecure());
  try {
    const deadline = { what: `an answer from ${address}:${port}`, timeoutMs };
    const health = await withDeadline(deadline, () => check(client));
    if (health !== SERVING) return { ok: false, text: `gRPC health status ${health}` };
    return { ok: true, text: 'gRPC health SERVING' };
  } finally {
    client.close();
  }
}

/** The health of the server as a whole. */
function check(client: Client): Promise<number> {
  const { HealthCheckRequest, HealthCheckResponse } = grpc.health.v1;
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      `/${HEALTH_SERVICE}/Check`,
      () => Buffer.from(HealthCheckRequest.encode({}).finish()),
      (bytes: Buffer) => HealthCheckResponse.decode(bytes).status,
      undefined,
      (error, health) => {
        if (error === null) resolve(health ?? 0);
        // The details of a failed connection are long, and name addresses only.
        else reject(new Error(status[error.code]));
      },
    );
  });
}
