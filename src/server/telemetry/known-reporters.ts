// Whom a connection was lately found to speak for, so that frequent reports cost no signature
// each. The same credential, on the same connection, for the same node: whatever differs is
// looked at anew. Who is shut out meanwhile loses its stream, and is heard no more for that.
import { type Clock, SECOND_MS } from '../../base/index.js';
import type { Caller } from '../../grpc/index.js';
import type { Node } from '../../xds/index.js';
import type { Sidecar } from '../join/index.js';

/** What was proved is looked at again after this. */
export const PROVED_FOR_MS = 30 * SECOND_MS;
/** As many as may be connected; beyond it the one that was noted longest ago is forgotten. */
const MAX_KNOWN = 20_000;

interface Known {
  readonly caller: Caller;
  readonly node: string;
  readonly sidecar: Sidecar;
  readonly atMs: number;
}

export class KnownReporters {
  readonly #clock: Pick<Clock, 'now'>;
  /** By address and port of the connection. */
  readonly #known = new Map<string, Known>();

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  /** Undefined where it is to be looked at. */
  find(caller: Caller, node: Node): Sidecar | undefined {
    const known = this.#known.get(toKey(caller));
    if (known === undefined || caller.port === undefined) return undefined;
    // By the distance: a clock that was set back must not keep it for ever.
    const isRecent = Math.abs(this.#clock.now() - known.atMs) < PROVED_FOR_MS;
    const isSame = known.node === JSON.stringify(node) && isSameCredential(known.caller, caller);
    return isRecent && isSame ? known.sidecar : undefined;
  }

  note(caller: Caller, node: Node, sidecar: Sidecar): void {
    const key = toKey(caller);
    this.#known.delete(key);
    const atMs = this.#clock.now();
    this.#known.set(key, { caller, node: JSON.stringify(node), sidecar, atMs });
    const [oldest] = this.#known.keys();
    if (this.#known.size > MAX_KNOWN && oldest !== undefined) this.#known.delete(oldest);
  }
}

function toKey({ address, port }: Caller): string {
  return `${address} ${port}`;
}

function isSameCredential(a: Caller, b: Caller): boolean {
  if (a.authorization !== b.authorization) return false;
  if (a.certificate === undefined || b.certificate === undefined) {
    return a.certificate === b.certificate;
  }
  return Buffer.from(a.certificate).equals(b.certificate);
}
