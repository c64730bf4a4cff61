import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { type HttpCall, httpCall } from './http-client.js';
import type { Shot } from './load.js';

/**
 * Whether each request gets its own connection, which exercises handshakes, or a worker keeps one.
 */
export type ConnectionUse = 'keep-alive' | 'per-request';

/** HTTP/1.1 requests; the answer is the status as text. */
export function httpShot(call: Omit<HttpCall, 'agent' | 'http2'>, use: ConnectionUse): () => Shot {
  if (use === 'per-request') {
    return () => ({
      fire: async () => String((await httpCall(call)).status),
      close: () => {},
    });
  }
  return () => {
    const settings = { keepAlive: true, maxSockets: 1 };
    const agent = call.tls === undefined ? new HttpAgent(settings) : new HttpsAgent(settings);
    return {
      fire: async () => String((await httpCall({ ...call, agent })).status),
      close: () => agent.destroy(),
    };
  };
}
