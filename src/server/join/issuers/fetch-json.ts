// A document of an outside issuer, fetched with every limit that a stranger's server needs: a
// timeout, a size, https alone and no redirect (which could lead to plain http, or to a neighbour
// of ours).
import { type Clock, MeshError, systemErrorCode } from '../../../base/index.js';
import { MAX_JWKS_BYTES } from '../../../policy/index.js';

export type Fetch = (
  url: string,
  options: { readonly redirect: 'manual'; readonly signal: AbortSignal; readonly headers: object },
) => Promise<Response>;

export interface FetchTools {
  readonly fetch: Fetch;
  readonly clock: Clock;
}

export const FETCH_TIMEOUT_MS = 5_000;

/** @throws MeshError issuer-unreachable, which names no URL: peers see its message. */
export async function fetchText(url: string, { fetch, clock }: FetchTools): Promise<string> {
  const abort = new AbortController();
  const cancel = clock.after(FETCH_TIMEOUT_MS, () => abort.abort());
  try {
    const headers = { accept: 'application/json' };
    const response = await fetch(url, { redirect: 'manual', signal: abort.signal, headers });
    if (response.status !== 200) throw unreachable(`HTTP status ${response.status}`);
    return await readBounded(response);
  } catch (error) {
    if (error instanceof MeshError) throw error;
    if (abort.signal.aborted) throw unreachable(`no answer within ${FETCH_TIMEOUT_MS} ms`, error);
    throw unreachable(reasonOf(error), error);
  } finally {
    cancel();
  }
}

async function readBounded(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += (chunk as Uint8Array).length;
    // Leaving the loop cancels the body.
    if (size > MAX_JWKS_BYTES) throw unreachable(`more than ${MAX_JWKS_BYTES} bytes`);
    chunks.push(chunk as Uint8Array);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** `fetch` says "fetch failed" and hides why in the cause. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  return systemErrorCode(cause) ?? 'an error';
}

export function unreachable(got: string, cause?: unknown): MeshError {
  return new MeshError('issuer-unreachable', `expected the keys of the issuer but got ${got}`, {
    cause,
    hint: 'see `nodeIssuers` in mesh.yaml; the sidecar tries again by itself',
  });
}
