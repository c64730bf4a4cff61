import { type HttpAnswer, type HttpCall, httpCall } from '../../src/demo/http-client.js';
import type { TlsOptions } from '../../src/demo/tls-client.js';

type Call = Omit<HttpCall, 'tls' | 'agent'>;

/** An HTTP request in plain text, on a connection of its own. */
export function plainGet(call: Call): Promise<HttpAnswer> {
  return httpCall(call);
}

/** An HTTP request over TLS, on a connection of its own; without `ca` any server is taken. */
export function httpsGet(call: Call & TlsOptions): Promise<HttpAnswer> {
  return httpCall({ ...call, tls: call });
}

/** What a caller saw, as one comparable text: `200`, `refused` for no HTTP answer at all. */
export async function outcome(answer: Promise<HttpAnswer>): Promise<string> {
  try {
    return String((await answer).status);
  } catch {
    return 'refused';
  }
}
