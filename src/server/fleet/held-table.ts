// Sidecars that are called, or may be: found by node and address, by address alone, and counted by
// service.
import type { ServiceName } from '../../policy/index.js';
import type { NodeId } from '../../spiffe/index.js';
import type { AddressProof } from '../addresses/index.js';

/** A sidecar at an address; two that share an instance name are still two. */
export interface SidecarKey {
  readonly node: NodeId;
  readonly address: string;
  /** One that takes secrets alone is another than a sidecar of the same node. */
  readonly isStatic?: true | undefined;
}

export function toKey({ node, address, isStatic }: SidecarKey): string {
  return `${node}@${address}${isStatic ? ' static' : ''}`;
}

export interface Held extends SidecarKey {
  /** By the name that it proved. */
  readonly named: ServiceName;
  /** As the mesh calls that service now; changed by `HeldTable.relabel` alone. */
  service: ServiceName;
  readonly proof: AddressProof;
  serves: boolean;
  unbound: readonly string[];
  /** Streams of this node that are open. */
  streams: number;
  /** Known from before the server started, and not seen since. */
  readonly isStored: boolean;
  /** Acknowledged its listeners at least once: an endpoint. */
  ready: boolean;
  /** Its stream has been gone for a while, and others are called instead. */
  away: boolean;
  cancelGrace: (() => void) | undefined;
}

export class HeldTable implements Iterable<Held> {
  readonly #byKey = new Map<string, Held>();
  readonly #byAddress = new Map<string, Set<Held>>();
  readonly #counts = new Map<ServiceName, number>();
  /** As the mesh calls a service that proved a name. */
  toDeclared: (name: ServiceName) => ServiceName = (name) => name;

  /** A copy: some may be deleted while it is gone through. */
  [Symbol.iterator](): Iterator<Held> {
    return [...this.#byKey.values()].values();
  }

  get(sidecar: SidecarKey): Held | undefined {
    return this.#byKey.get(toKey(sidecar));
  }

  at(address: string): readonly Held[] {
    return [...(this.#byAddress.get(address) ?? [])];
  }

  /** Sidecars of each service that has any. */
  get counts(): ReadonlyMap<ServiceName, number> {
    return this.#counts;
  }

  set(held: Held): void {
    this.delete(held);
    this.#byKey.set(toKey(held), held);
    const others = this.#byAddress.get(held.address) ?? new Set();
    this.#byAddress.set(held.address, others.add(held));
    this.#count(held.service, 1);
  }

  delete(sidecar: SidecarKey): void {
    const held = this.get(sidecar);
    if (held === undefined) return;
    this.#byKey.delete(toKey(held));
    const others = this.#byAddress.get(held.address);
    others?.delete(held);
    if (others?.size === 0) this.#byAddress.delete(held.address);
    this.#count(held.service, -1);
  }

  /** Services have other names now: whoever proved one of them is what that service is called. */
  relabel(toDeclared: (name: ServiceName) => ServiceName): void {
    this.toDeclared = toDeclared;
    for (const held of this) {
      this.#count(held.service, -1);
      held.service = toDeclared(held.named);
      this.#count(held.service, 1);
    }
  }

  #count(service: ServiceName, by: number): void {
    const count = (this.#counts.get(service) ?? 0) + by;
    if (count === 0) this.#counts.delete(service);
    else this.#counts.set(service, count);
  }
}
