// Takes what sidecars report: from whom it is, is decided by what the call proves, as for
// discovery; what it says of itself chooses among its own service's connected sidecars alone.
import { type Clock, MeshError, RateLimit } from '../../base/index.js';
import type { Caller } from '../../grpc/index.js';
import type { StatisticsCall, StatisticsReport } from '../../grpc/statistics/index.js';
import { STATISTICS_ATTRIBUTES as NAMES } from '../../translate/statistics/index.js';
import type { Node } from '../../xds/index.js';
import { type Authenticator, partyOf, type Refusals, type Sidecar } from '../join/index.js';
import { KnownReporters } from './known-reporters.js';
import { toSample } from './sample.js';
import type { Statistics } from './statistics.js';

/** Of one connection, before anything is read, and of one sidecar, which sends one in 2 s. */
export const REPORTS_RATE = { perSecond: 2, burst: 10 } as const;
/** So many rates are remembered; beyond it the one that was used longest ago is forgotten. */
const MAX_RATES = 20_000;

export interface IntakeOptions {
  readonly clock: Clock;
  readonly statistics: Pick<Statistics, 'mark' | 'take'>;
  readonly authenticator: Pick<Authenticator, 'companion' | 'caller'>;
  readonly refusals: Pick<Refusals, 'note'>;
}

export class Intake {
  readonly #options: IntakeOptions;
  readonly #connections: Rates;
  readonly #sidecars: Rates;
  readonly #known: KnownReporters;

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#connections = new Rates(options.clock);
    this.#sidecars = new Rates(options.clock);
    this.#known = new KnownReporters(options.clock);
  }

  /** @throws MeshError request-invalid, resource-limit, and what `Authenticator` throws */
  async take({ caller, read }: StatisticsCall): Promise<void> {
    const { statistics } = this.#options;
    // It is older than whatever is taken while it is looked at.
    const madeAt = statistics.mark;
    if (!this.#connections.tryTake(`${caller.address} ${caller.port}`)) {
      const error = tooOften('of one connection');
      this.#options.refusals.note({ peer: caller.address }, error);
      throw error;
    }
    const report = await this.#read(caller, read);
    const sidecar = await this.#prove(caller, toNode(report));
    if (!this.#sidecars.tryTake(`${sidecar.node}@${sidecar.address}`)) {
      throw this.#noted(caller, sidecar, tooOften('of one sidecar'));
    }
    statistics.take(sidecar, toSample(report), madeAt);
  }

  async #prove(caller: Caller, node: Node): Promise<Sidecar> {
    const known = this.#known.find(caller, node);
    if (known !== undefined) return known;
    const sidecar = await this.#options.authenticator.companion({ ...caller, node });
    this.#known.note(caller, node, sidecar);
    return sidecar;
  }

  /** Whoever sends what can't be read is told so, and counted, once it is known who it is. */
  async #read(caller: Caller, read: () => StatisticsReport): Promise<StatisticsReport> {
    try {
      return read();
    } catch (error) {
      throw this.#noted(caller, await this.#options.authenticator.caller(caller), error);
    }
  }

  #noted(
    { address: peer }: Caller,
    proved: Pick<Sidecar, 'service' | 'credential'>,
    error: unknown,
  ): unknown {
    this.#options.refusals.note({ peer, party: partyOf(proved) }, error);
    return error;
  }
}

/** As its first request to discovery has it. */
function toNode({ attributes }: StatisticsReport): Node {
  const given = (['address', 'listen'] as const).flatMap((name) => {
    const value = attributes.get(NAMES[name]);
    return value === undefined ? [] : [[name, value]];
  });
  return {
    id: attributes.get(NAMES.node) ?? '',
    cluster: '',
    metadata: { countersign: Object.fromEntries(given) as Record<string, string> },
    userAgentName: '',
    userAgentVersion: '',
  };
}

class Rates {
  readonly #clock: Clock;
  readonly #rates = new Map<string, RateLimit>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  tryTake(key: string): boolean {
    const rate = this.#rates.get(key) ?? new RateLimit({ clock: this.#clock, ...REPORTS_RATE });
    this.#rates.delete(key);
    this.#rates.set(key, rate);
    const [oldest] = this.#rates.keys();
    if (this.#rates.size > MAX_RATES && oldest !== undefined) this.#rates.delete(oldest);
    return rate.tryTake();
  }
}

function tooOften(whose: string): MeshError {
  const { perSecond } = REPORTS_RATE;
  const message = `expected at most ${perSecond} reports of statistics a second ${whose}`;
  return new MeshError('resource-limit', message);
}
