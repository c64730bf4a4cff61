// How a flow makes its requests: HTTP, gRPC, lines over TCP, queries of PostgreSQL. Each answer is
// the name of the application that gave it; whatever isn't served rejects.

import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Socket } from 'node:net';
import { credentials, Client as GrpcClient, status } from '@grpc/grpc-js';
import { systemClock } from '../../src/base/index.js';
import { httpCall } from '../../src/demo/http-client.js';
import { openSocket, type SocketTarget } from '../../src/demo/open-socket.js';
import type { TlsOptions } from '../../src/demo/tls-client.js';
import { withDeadline } from '../../src/demo/wait.js';
import { type Flow, GRPC_PATH } from './flow.js';
import { Line, POSTGRES, type Speech, TEXT } from './line.js';
import { DRAIN_S } from './timeline.js';

export interface Shot {
  /** The application's name. */
  fire(): Promise<string>;
  close(): void;
}

export interface Target {
  readonly address: string;
  readonly port: number;
  /** As it is now: certificates are renewed. */
  readonly tls?: () => TlsOptions;
}

const TIMEOUT_MS = 5_000;

/**
 * An application keeps a connection open, and opens another where it was closed. One that an edit
 * ends has the drain time: only an older one may be closed under a request, and where the port
 * knows of requests not even that.
 */
export function toShot(flow: Flow, target: Target, mayBeCut: () => boolean): Shot {
  const shot = toPlainShot(flow, target);
  return {
    async fire() {
      const isOld = shot.isOld();
      try {
        return await shot.fire();
      } catch (error) {
        if (!isOld || !isCut(error) || !mayBeCut()) throw error;
        return shot.fire();
      }
    },
    close: () => shot.close(),
  };
}

function isCut(error: unknown): boolean {
  const text = error instanceof Error ? error.message : '';
  return /^closed|socket hang up|ECONNRESET|gRPC UNAVAILABLE/.test(text);
}

/** Whether it has a connection that may be older than the drain time. */
type PlainShot = Shot & { readonly isOld: () => boolean };

function toPlainShot(flow: Flow, target: Target): PlainShot {
  switch (flow.speaks) {
    case 'http':
      return httpShot(flow, target);
    case 'grpc':
      return grpcShot(flow, target);
    case 'tcp':
      return lineShot(flow, target, TEXT);
    case 'postgres':
      return lineShot(flow, target, POSTGRES);
  }
}

function toSocketTarget({ address, port, tls }: Target): SocketTarget {
  return { address, port, ...(tls === undefined ? {} : { tls: tls() }) };
}

function httpShot({ method, use }: Flow, target: Target): PlainShot {
  const settings = { keepAlive: true, maxSockets: 1 };
  const agent = target.tls === undefined ? new HttpAgent(settings) : new HttpsAgent(settings);
  return {
    async fire() {
      const kept = use === 'kept' ? { agent } : {};
      const call = { ...toSocketTarget(target), method, timeoutMs: TIMEOUT_MS, ...kept };
      const { status: code, body } = await httpCall(call);
      if (code !== 200) throw new Error(`${code} ${body.slice(0, 80)}`);
      return (JSON.parse(body) as { service: string }).service;
    },
    isOld: () => use === 'kept',
    close: () => agent.destroy(),
  };
}

const bytes = (buffer: Buffer): Buffer => buffer;

function grpcShot({ use }: Flow, target: Target): PlainShot {
  let client: GrpcClient | undefined;
  const drop = (): void => {
    client?.close();
    client = undefined;
  };
  const open = (): GrpcClient => {
    const { address, port, tls } = toSocketTarget(target);
    const { key = '', cert = '', servername } = tls ?? {};
    const secure =
      tls === undefined
        ? credentials.createInsecure()
        : credentials.createSsl(Buffer.from(tls.ca ?? ''), Buffer.from(key), Buffer.from(cert), {
            checkServerIdentity: () => undefined,
          });
    return new GrpcClient(`${address}:${port}`, secure, {
      'grpc.use_local_subchannel_pool': 1,
      ...(servername === undefined ? {} : { 'grpc.ssl_target_name_override': servername }),
    });
  };
  return {
    async fire() {
      const used = client ?? open();
      client = used;
      const deadline = systemClock.now() + TIMEOUT_MS;
      try {
        return await new Promise<string>((resolve, reject) => {
          used.makeUnaryRequest(
            GRPC_PATH,
            bytes,
            bytes,
            Buffer.alloc(0),
            { deadline },
            (error, reply) => {
              if (error !== null) reject(new Error(`gRPC ${status[error.code]} ${error.details}`));
              else resolve(String(reply));
            },
          );
        });
      } catch (error) {
        // A client that backs off would fail calls that nobody refuses.
        drop();
        throw error;
      } finally {
        if (use === 'fresh') drop();
      }
    },
    isOld: () => client !== undefined,
    close: drop,
  };
}

function lineShot({ use }: Flow, target: Target, speech: Speech, clock = systemClock): PlainShot {
  let kept: { readonly line: Line; readonly sinceMs: number } | undefined;
  const open = () => {
    const socket: Socket = openSocket(toSocketTarget(target));
    return { line: new Line(socket, speech), sinceMs: clock.now() };
  };
  const ask = (line: Line): Promise<string> =>
    withDeadline({ what: 'an answer', timeoutMs: TIMEOUT_MS }, () => line.ask());
  const drop = (): void => {
    kept?.line.close();
    kept = undefined;
  };
  return {
    async fire() {
      kept ??= open();
      try {
        return await ask(kept.line);
      } catch (error) {
        drop();
        throw error;
      } finally {
        if (use === 'fresh') drop();
      }
    },
    isOld: () => kept !== undefined && clock.now() - kept.sinceMs >= DRAIN_S * 1_000,
    close: drop,
  };
}
