import { describeCredential, type Sidecar } from '../join/index.js';
import { toKey } from './held-table.js';
import { type InstanceLimits, tooMany } from './instance-limits.js';

/**
 * An instance may have moved, and be restarted where it was. More than a few at once under one name
 * are no instance.
 */
const MOST_OF_AN_INSTANCE = 8;

/** How many sidecars each credential has let in, each with its streams. */
export class Places {
  readonly #limits: Pick<InstanceLimits, 'perCredential'>;
  readonly #taken = new Map<string, Map<string, number>>();

  constructor(limits: Pick<InstanceLimits, 'perCredential'>) {
    this.#limits = limits;
  }

  /** @throws MeshError instance-limit */
  assertRoom(sidecar: Sidecar): void {
    const taken = this.#taken.get(describeCredential(sidecar.credential));
    const { perCredential } = this.#limits;
    const isOne = sidecar.isOneInstance === true;
    const most = isOne ? Math.min(MOST_OF_AN_INSTANCE, perCredential) : perCredential;
    if (taken === undefined || taken.size < most || taken.has(toKey(sidecar))) return;
    const by = sidecar.credential.kind === 'certificate' ? 'certificate' : 'token';
    throw tooMany(`by one ${by}${isOne ? ' of one instance' : ''}`, most);
  }

  take(sidecar: Sidecar): void {
    const key = describeCredential(sidecar.credential);
    const taken = this.#taken.get(key) ?? new Map<string, number>();
    this.#taken.set(key, taken.set(toKey(sidecar), (taken.get(toKey(sidecar)) ?? 0) + 1));
  }

  free(sidecar: Sidecar): void {
    const key = describeCredential(sidecar.credential);
    const taken = this.#taken.get(key);
    const left = (taken?.get(toKey(sidecar)) ?? 1) - 1;
    if (left > 0) taken?.set(toKey(sidecar), left);
    else taken?.delete(toKey(sidecar));
    if (taken?.size === 0) this.#taken.delete(key);
  }
}
