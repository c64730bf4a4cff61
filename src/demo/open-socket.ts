import { connect as netConnect, type Socket } from 'node:net';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';
import { type TlsOptions, toConnectOptions } from './tls-client.js';

export interface SocketTarget {
  readonly address: string;
  readonly port: number;
  /** Absent: plain text. */
  readonly tls?: TlsOptions;
  readonly localAddress?: string;
}

/** A connection, in plain text or TLS; nothing has been awaited yet. */
export function openSocket(target: SocketTarget): Socket | TLSSocket {
  const options = {
    host: target.address,
    port: target.port,
    ...(target.localAddress === undefined ? {} : { localAddress: target.localAddress }),
  };
  if (target.tls === undefined) return netConnect(options);
  return tlsConnect({ ...options, ...toConnectOptions(target.tls, target.address) });
}
