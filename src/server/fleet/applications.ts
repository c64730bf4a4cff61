// Which applications are unwell, as their own sidecars report it over HDS: for people alone. Calls
// go round such a one whether or not its sidecar reports. What nobody reports is unknown, and
// nothing is said of it: an Envoy with an earlier bootstrap has no such stream.
import type { Clock, Logger } from '../../base/index.js';
import type { HealthReport, HealthStream } from '../../grpc/health-discovery/index.js';
import { findService, type Mesh, type Service } from '../../policy/index.js';
import { checkedPorts, toCheckName, toHealthSpecifier } from '../../translate/index.js';
import type { Sidecar } from '../join/index.js';
import { type SidecarKey, toKey } from './held-table.js';

export interface ApplicationsOptions {
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'info' | 'warn'>;
  /** In force. */
  readonly mesh: () => Mesh;
  /** @throws MeshError where this sidecar is shut out */
  readonly assertAdmitted: (sidecar: Sidecar) => void;
  readonly onChange: () => void;
}

/** The application behind a port, as a sidecar's checks find it. */
export interface UnwellPort {
  readonly port: number;
  /** When it was first reported. */
  readonly sinceMs: number;
}

type Stream = HealthStream<Sidecar>;

interface Reporter {
  readonly stream: Stream;
  /** Of what it was asked last, but for the time. */
  asked: string;
  /** Ports that it is asked for. */
  ports: readonly number[];
  readonly unwellSinceMs: Map<number, number>;
}

export class Applications {
  readonly #options: ApplicationsOptions;
  /** By node and address. */
  readonly #reporters = new Map<string, Reporter>();

  constructor(options: ApplicationsOptions) {
    this.#options = options;
  }

  onOpen(stream: Stream): void {
    const key = toKey(stream.auth);
    const before = this.#reporters.get(key);
    const reporter = { stream, asked: '', ports: [], unwellSinceMs: new Map<number, number>() };
    this.#reporters.set(key, reporter);
    // Of an Envoy that was restarted, or whose network broke.
    before?.stream.hold();
    this.#ask(reporter);
  }

  onReport(stream: Stream, report: HealthReport): void {
    const reporter = this.#reporters.get(toKey(stream.auth));
    if (reporter?.stream !== stream) return;
    let isNew = false;
    for (const port of reporter.ports) {
      const isWell = report.get(toCheckName({ number: port }));
      if (isWell === undefined || isWell !== reporter.unwellSinceMs.has(port)) continue;
      this.#note(reporter, port, isWell);
      isNew = true;
    }
    if (isNew) this.#options.onChange();
  }

  onClose(stream: Stream): void {
    const key = toKey(stream.auth);
    const reporter = this.#reporters.get(key);
    if (reporter?.stream !== stream) return;
    this.#reporters.delete(key);
    if (reporter.unwellSinceMs.size > 0) this.#options.onChange();
  }

  meshChanged(): void {
    for (const reporter of this.#reporters.values()) this.#ask(reporter);
  }

  /** Listens no more to those that are shut out. */
  shutOut(): void {
    for (const { stream } of [...this.#reporters.values()]) {
      try {
        this.#options.assertAdmitted(stream.auth);
      } catch {
        stream.hold();
      }
    }
  }

  /** Ports of a sidecar whose application is unwell, ascending. */
  unwellOf(sidecar: SidecarKey): readonly UnwellPort[] {
    const unwell = this.#reporters.get(toKey(sidecar))?.unwellSinceMs ?? [];
    return [...unwell]
      .map(([port, sinceMs]) => ({ port, sinceMs }))
      .sort((a, b) => a.port - b.port);
  }

  #ask(reporter: Reporter): void {
    const { clock, mesh } = this.#options;
    const { stream, unwellSinceMs } = reporter;
    const service: Service | undefined = findService(mesh(), stream.auth.service);
    const asked = Buffer.from(toHealthSpecifier(service, 0)).toString('base64');
    if (asked === reporter.asked) return;
    reporter.asked = asked;
    reporter.ports = checkedPorts(service).map(({ number }) => number);
    const isAsked = new Set(reporter.ports);
    for (const port of [...unwellSinceMs.keys()])
      if (!isAsked.has(port)) unwellSinceMs.delete(port);
    stream.ask(toHealthSpecifier(service, clock.now()));
  }

  #note({ stream, unwellSinceMs }: Reporter, port: number, isWell: boolean): void {
    const { clock, logger } = this.#options;
    const { node, address } = stream.auth;
    if (isWell) {
      unwellSinceMs.delete(port);
      logger.info({ node, address, port }, 'an application is well again');
    } else {
      unwellSinceMs.set(port, clock.now());
      logger.warn({ node, address, port }, 'an application is unwell, as its sidecar finds');
    }
  }
}
