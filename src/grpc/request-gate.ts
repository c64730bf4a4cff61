// Which requests of a peer are looked at: none that is too large, and not too many a second.
import { type Clock, MeshError, RateLimit } from '../base/index.js';
import type { DiscoveryLimits } from './limits.js';

type Limits = Pick<DiscoveryLimits, 'maxRequestBytes' | 'maxRequestsPerSecond' | 'maxRequestBurst'>;

/** Of one stream. */
export class RequestGate {
  readonly #limits: Limits;
  readonly #rate: RateLimit;

  constructor(limits: Limits, clock: Clock) {
    this.#limits = limits;
    const { maxRequestsPerSecond: perSecond, maxRequestBurst: burst } = limits;
    this.#rate = new RateLimit({ clock, perSecond, burst });
  }

  /** @throws MeshError resource-limit */
  pass(bytes: Buffer): void {
    const { maxRequestBytes, maxRequestsPerSecond } = this.#limits;
    if (bytes.length > maxRequestBytes) {
      const message = `expected requests of at most ${maxRequestBytes} bytes`;
      throw new MeshError('resource-limit', `${message} but got ${bytes.length}`);
    }
    if (!this.#rate.tryTake()) {
      const message = `expected at most ${maxRequestsPerSecond} requests a second on a stream`;
      throw new MeshError('resource-limit', message);
    }
  }
}
