// The newest statistics of each connected sidecar, and what they say of it: no history, and nothing
// of who isn't connected. Silence is no word: whoever reported and stops is judged by what it
// acknowledges, as one that never reported.
import type { Cancel, Clock } from '../../base/index.js';
import type { DiscoveryHooks, DiscoveryStream, StreamUpdate } from '../../grpc/index.js';
import { STATISTICS_INTERVAL_MS } from '../../translate/statistics/index.js';
import { type Response, TYPE_URLS, type TypeReport } from '../../xds/index.js';
import type { Sidecar } from '../join/index.js';
import { type Draining, type Sample, toVersionHash } from './sample.js';
import { inForce, type Verdict } from './verdict.js';

/** Who has said nothing for so long is silent. */
export const SILENT_AFTER_MS = 5 * STATISTICS_INTERVAL_MS;
/** So long after it took listeners a sidecar is waited for on the word of its statistics alone. */
export const RECENT_MS = 2 * STATISTICS_INTERVAL_MS;

export interface StatisticsView {
  readonly verdict: Verdict;
  /** It reported within `SILENT_AFTER_MS`. */
  readonly reports: boolean;
  /** Undefined: nothing drains, or nobody says so. */
  readonly draining: (Draining & { readonly sinceMs: number }) | undefined;
}

export interface StatisticsOptions {
  readonly clock: Clock;
  /** What is said of a sidecar may have changed. */
  readonly onChange: () => void;
}

type Stream = Pick<DiscoveryStream<Sidecar>, 'auth' | 'state'>;
type Reporter = Pick<Sidecar, 'node' | 'address'>;
type Taken = Pick<StreamUpdate & { readonly kind: 'acked' }, 'typeUrl' | 'taken'>;

interface Entry {
  /** Open ones. */
  streams: number;
  sample: Sample | undefined;
  /** The newest listeners that it took, as `mark` counts them. */
  takenAt: number;
  isFresh: boolean;
  /** While it took them a moment ago. */
  cancelRecent: Cancel | undefined;
  hasAsked: boolean;
  /** By type, what it had when it was sent its newest listeners. */
  held: ReadonlyMap<string, TypeReport['acked']>;
  cancelSilence: Cancel;
  drainingSinceMs: number | undefined;
  /** The last version that was asked for: views are many, and versions few. */
  hashed: { readonly version: string; readonly hash: number } | undefined;
}

/** What listeners refer to. */
const REFERRED: ReadonlySet<string> = new Set([
  TYPE_URLS.secret,
  TYPE_URLS.route,
  TYPE_URLS.extension,
]);

export class Statistics implements DiscoveryHooks<Sidecar> {
  readonly #options: StatisticsOptions;
  readonly #entries = new Map<string, Entry>();
  #mark = 0;

  constructor(options: StatisticsOptions) {
    this.#options = options;
  }

  onConnect({ auth }: Stream): void {
    const key = toKey(auth);
    const entry = this.#entries.get(key) ?? newEntry();
    entry.streams += 1;
    this.#entries.set(key, entry);
  }

  onResponse(stream: Stream, { typeUrl }: Pick<Response, 'typeUrl'>): void {
    const entry = this.#entries.get(toKey(stream.auth));
    if (entry === undefined || typeUrl !== TYPE_URLS.listener) return;
    entry.held = new Map(stream.state().map((report) => [report.typeUrl, report.acked]));
  }

  onUpdate({ auth }: Stream, update: StreamUpdate): void {
    if (update.kind !== 'acked' || update.taken.length === 0) return;
    const entry = this.#entries.get(toKey(auth));
    if (entry === undefined) return;
    if (update.typeUrl === TYPE_URLS.listener) this.#takeListeners(entry);
    else if (REFERRED.has(update.typeUrl) && isNew(entry, update)) this.#takeReferred(entry);
  }

  onDisconnect({ auth }: Stream): void {
    const key = toKey(auth);
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.streams -= 1;
    if (entry.streams > 0) return;
    endRecent(entry);
    entry.cancelSilence();
    this.#entries.delete(key);
  }

  /** Whatever was made before now is older than what is taken from now on. */
  get mark(): number {
    return this.#mark;
  }

  /** @param madeAt The mark when the sample came. */
  take(reporter: Reporter, sample: Sample, madeAt: number): void {
    const entry = this.#entries.get(toKey(reporter));
    // After a restart of the server, statistics come before discovery.
    if (entry === undefined) return;
    const { clock } = this.#options;
    const before = toGist(entry);
    entry.cancelSilence();
    entry.cancelSilence = clock.after(SILENT_AFTER_MS, () => this.#fallSilent(entry));
    entry.sample = sample;
    entry.isFresh = madeAt >= entry.takenAt;
    entry.drainingSinceMs = isDraining(sample) ? (entry.drainingSinceMs ?? clock.now()) : undefined;
    if (toGist(entry) !== before) this.#options.onChange();
  }

  viewOf(stream: Stream): StatisticsView {
    const entry = this.#entries.get(toKey(stream.auth));
    const sample = entry?.sample;
    if (entry === undefined || sample === undefined) return SILENT;
    const { drainingSinceMs: sinceMs, isFresh, hasAsked } = entry;
    const listeners = toListeners(entry, stream);
    const isRecent = entry.cancelRecent !== undefined;
    return {
      verdict: inForce({ listeners, sample, isFresh, isRecent, hasAsked }),
      reports: true,
      draining: sinceMs === undefined ? undefined : { ...sample.draining, sinceMs },
    };
  }

  /** What those listeners refer to was there before, unless more is taken after them. */
  #takeListeners(entry: Entry): void {
    this.#age(entry);
    endRecent(entry);
    entry.hasAsked = false;
    if (entry.sample === undefined) return;
    entry.cancelRecent = this.#options.clock.after(RECENT_MS, () => {
      endRecent(entry);
      this.#options.onChange();
    });
  }

  /** It was not there before: it may be what the newest listeners waited for. */
  #takeReferred(entry: Entry): void {
    if (entry.isFresh || entry.cancelRecent === undefined) return;
    this.#age(entry);
    entry.hasAsked = true;
  }

  #age(entry: Entry): void {
    this.#mark += 1;
    entry.takenAt = this.#mark;
    entry.isFresh = false;
  }

  #fallSilent(entry: Entry): void {
    entry.sample = undefined;
    entry.drainingSinceMs = undefined;
    endRecent(entry);
    this.#options.onChange();
  }
}

const SILENT: StatisticsView = { verdict: 'unknown', reports: false, draining: undefined };

/** Two that share an instance name are still two. */
function toKey({ node, address }: Reporter): string {
  return `${node}@${address}`;
}

function newEntry(): Entry {
  return {
    ...{ streams: 0, sample: undefined, takenAt: 0, isFresh: false },
    ...{ cancelRecent: undefined, hasAsked: false, cancelSilence: () => undefined },
    held: new Map(),
    ...{ drainingSinceMs: undefined, hashed: undefined },
  };
}

/** What was there before in another form holds no listener up. */
function isNew({ held }: Entry, { typeUrl, taken }: Taken): boolean {
  const before = held.get(typeUrl);
  return taken.some((name) => before?.has(name) !== true);
}

function endRecent(entry: Entry): void {
  entry.cancelRecent?.();
  entry.cancelRecent = undefined;
}

function isDraining({ draining }: Sample): boolean {
  return draining.chains + draining.listeners > 0;
}

/** What somebody may be waiting for. */
function toGist({ sample, isFresh }: Entry): string {
  if (sample === undefined) return '';
  const { listeners, warming, isStarting } = sample;
  return [isFresh, listeners, warming > 0, isStarting, isDraining(sample)].join(' ');
}

/** Where some were rejected, what Envoy counts isn't what it has. */
function toListeners(entry: Entry, stream: Stream): number | undefined {
  const report = stream.state().find(({ typeUrl }) => typeUrl === TYPE_URLS.listener);
  const version = report?.standing.state === 'synced' ? report.standing.version : undefined;
  if (version === undefined) return undefined;
  if (entry.hashed?.version !== version) entry.hashed = { version, hash: toVersionHash(version) };
  return entry.hashed.hash;
}
