// A caller without a sidecar that knows several addresses: where a connection is refused, nothing
// was asked yet, and the next address gets the request. Anything else that goes wrong is a failure.
import { Agent, request } from 'node:http';
import { type ClientHttp2Session, connect } from 'node:http2';
import { systemErrorCode } from '../../src/base/index.js';
import type { Shot } from '../../src/demo/load.js';

export interface FailoverTarget {
  readonly addresses: readonly string[];
  readonly port: number;
}

/** One connection is kept for all requests, while the other side keeps it. */
export function failoverShot(target: FailoverTarget, http2 = false): () => Shot {
  return () => {
    const addresses = [...target.addresses];
    const client = http2 ? createHttp2(target.port) : createHttp1(target.port);
    const fire = async (): Promise<string> => {
      const [address = ''] = addresses;
      try {
        return await client.get(address);
      } catch (error) {
        if (systemErrorCode(error) !== 'ECONNREFUSED' || addresses.length === 1) throw error;
        addresses.shift();
        return fire();
      }
    };
    return { fire, close: () => client.close() };
  };
}

interface Client {
  get(address: string): Promise<string>;
  close(): void;
}

function createHttp1(port: number): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const get = (host: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const asked = request({ host, port, agent }, (response) => {
        response.resume().on('error', reject);
        response.on('end', () => resolve(String(response.statusCode)));
      });
      asked.on('error', reject).end();
    });
  return { get, close: () => agent.destroy() };
}

function createHttp2(port: number): Client {
  let session: ClientHttp2Session | undefined;
  const open = async (address: string): Promise<ClientHttp2Session> => {
    if (session !== undefined && !session.closed && !session.destroyed) return session;
    const opened = connect(`http://${address}:${port}`);
    // The server lets go of it: what was asked is answered, and the next request has a new one.
    opened.on('goaway', () => opened.close());
    await new Promise((resolve, reject) => {
      opened.once('connect', resolve).once('error', reject);
    });
    opened.on('error', () => undefined);
    session = opened;
    return opened;
  };
  const get = async (address: string): Promise<string> => {
    const stream = (await open(address)).request({ ':path': '/' });
    return new Promise((resolve, reject) => {
      let status: number | undefined;
      stream.on('response', (headers) => {
        status = headers[':status'];
      });
      stream.on('error', reject).resume();
      stream.on('end', () => {
        if (status === undefined) reject(new Error('cut before an answer'));
        else resolve(String(status));
      });
    });
  };
  return { get, close: () => session?.destroy() };
}
