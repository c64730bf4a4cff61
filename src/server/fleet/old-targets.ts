// The clusters of applications to which a service's ports don't lead any more. Connections that an
// old filter chain has taken, or takes while the new one is on its way, still go there: without
// its cluster they would fail at once, and not go on until the drain time is over. So Envoy keeps
// each for that long. It is of no use to anybody else; a server that starts anew knows of none.
import { type Cancel, type Clock, MINUTE_MS } from '../../base/index.js';
import type { ServiceName } from '../../policy/index.js';
import { isApplicationCluster } from '../../translate/index.js';
import {
  createResourceSet,
  EMPTY_SET,
  type Resource,
  type ResourceSet,
  TYPE_URLS,
} from '../../xds/index.js';

/** As `run.sh` starts Envoy (`--drain-time-s`), and a minute for what is slow. */
export const OLD_TARGET_MS = 11 * MINUTE_MS;
/** Of one service: the oldest goes first. */
const MOST = 16;

interface Kept {
  readonly resource: Resource;
  readonly cancel: Cancel;
}

export interface OldTargetsOptions {
  readonly clock: Pick<Clock, 'after'>;
  /** What this service is sent has changed. */
  readonly onEnd: (service: ServiceName) => void;
}

export class OldTargets {
  readonly #options: OldTargetsOptions;
  readonly #kept = new Map<ServiceName, Map<string, Kept>>();
  /** Without its old targets. */
  readonly #newest = new Map<ServiceName, ResourceSet>();

  constructor(options: OldTargetsOptions) {
    this.#options = options;
  }

  /** The clusters that the service is to have from now on, with those of its old targets. */
  add(service: ServiceName, next: ResourceSet): ResourceSet {
    const before = this.#newest.get(service);
    this.#newest.set(service, next);
    const kept = this.#kept.get(service) ?? new Map<string, Kept>();
    for (const resource of before?.resources.values() ?? []) {
      const { name } = resource;
      if (!isApplicationCluster(name) || next.resources.has(name) || kept.has(name)) continue;
      kept.set(name, { resource, cancel: this.#endLater(service, name) });
    }
    for (const name of kept.keys()) if (next.resources.has(name)) this.#delete(service, name);
    const [oldest] = kept.keys();
    if (kept.size > MOST && oldest !== undefined) this.#drop(kept, oldest);
    if (kept.size === 0) return next;
    this.#kept.set(service, kept);
    return createResourceSet([
      ...next.resources.values(),
      ...[...kept.values()].map(({ resource }) => resource),
    ]);
  }

  /** The same in all that the service is to have. */
  addTo(
    sets: ReadonlyMap<string, ResourceSet>,
    service: ServiceName,
  ): ReadonlyMap<string, ResourceSet> {
    const typeUrl = TYPE_URLS.cluster;
    const next = sets.get(typeUrl) ?? EMPTY_SET;
    return new Map([...sets, [typeUrl, this.add(service, next)]]);
  }

  stop(): void {
    for (const kept of this.#kept.values()) for (const { cancel } of kept.values()) cancel();
    this.#kept.clear();
  }

  #endLater(service: ServiceName, name: string): Cancel {
    return this.#options.clock.after(OLD_TARGET_MS, () => {
      this.#delete(service, name);
      this.#options.onEnd(service);
    });
  }

  #delete(service: ServiceName, name: string): void {
    const kept = this.#kept.get(service);
    if (kept === undefined) return;
    this.#drop(kept, name);
    if (kept.size === 0) this.#kept.delete(service);
  }

  #drop(kept: Map<string, Kept>, name: string): void {
    kept.get(name)?.cancel();
    kept.delete(name);
  }
}
