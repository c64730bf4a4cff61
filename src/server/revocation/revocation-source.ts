// Revocations as an input: read at start, before anything is served, and again whenever the data
// folder changes. From the moment that one is read nobody whom it names is admitted or certified;
// then the revocation lists and marks are stored; then all of it is in force at once, and
// published. What can't be read or stored is reported and tried again at the next look; what was in
// force stays, though its file is gone or damaged: only what was taken back ends.
import { type Clock, HOUR_MS, type Logger, type Times, timesOf, Watch } from '../../base/index.js';
import type { Authority } from '../../ca/index.js';
import { createJsonStore, type DataDir, type DurableStore } from '../../data/index.js';
import { type LeafManager, listHandedOutFiles } from '../../leaves/index.js';
import type { Mesh } from '../../policy/index.js';
import {
  CrlStore,
  type Crls,
  findCertificates,
  findRevocation,
  findRevokedCertificates,
  REVOCATION_MARKS_FILE,
  RevocationFolder,
  type Revocations,
  type RevokedCertificate,
} from '../../revocation/index.js';
import { splitNodeId } from '../../spiffe/index.js';
import type { Period } from '../../x509/read/index.js';
import { toAnewText, toLostTexts } from './lost-revocations.js';
import { type Marks, marksSchema, NO_MARKS, nextMarks } from './revocation-marks.js';
import { toKnownNames } from './revoked-identity.js';
import type { ShutOut } from './shut-out.js';

export interface RevocationState {
  readonly list: Revocations;
  readonly marks: Marks;
  /** Undefined: no certificate is revoked, or the authority can't sign lists. */
  readonly crls: Crls | undefined;
  /** Certificates that are refused although they have not ended. */
  readonly certificates: readonly RevokedCertificate[];
}

export interface RevocationSourceOptions {
  readonly dataDir: DataDir;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly authority: Authority;
  /** Leaves of revoked nodes are no longer made; revoked ones of others are replaced. */
  readonly leaves: Pick<LeafManager, 'releaseWhere' | 'renewRevoked'>;
  /** Kept up to date with what is read. */
  readonly shutOut: ShutOut;
  /** Sets aside what is damaged and can be made again, and says what was lost: see take-up.ts. */
  readonly losses: {
    takeUp<T>(name: string, read: () => Promise<T>): Promise<T | undefined>;
    note(text: string): void;
  };
  /** Meshes that may be in force. */
  readonly meshes: () => readonly Mesh[];
}

/** Certificates end without notice: looked at again this often. */
const LOOK_AGAIN_MS = HOUR_MS;
const NOTHING: RevocationState = {
  list: new Map(),
  marks: NO_MARKS,
  crls: undefined,
  certificates: [],
};

export class RevocationSource {
  readonly #options: RevocationSourceOptions;
  readonly #folder: RevocationFolder;
  readonly #crlStore: CrlStore | undefined;
  readonly #marksStore: DurableStore<Marks>;
  /** As last read, ahead of what is in force; undefined: nothing was read yet. */
  #known: Revocations | undefined;
  #certificates: readonly RevokedCertificate[] = [];
  #marks: Marks = NO_MARKS;
  #troubles: readonly string[] = [];
  /** Of what `inForce` was made. */
  #seen = '';
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  readonly inForce = new Watch<RevocationState>(NOTHING);

  private constructor(options: RevocationSourceOptions) {
    const { dataDir, authority, losses } = options;
    this.#options = options;
    this.#folder = new RevocationFolder(dataDir);
    const { crls } = authority;
    const takeUp = losses.takeUp.bind(losses);
    this.#crlStore = crls && new CrlStore({ dataDir, crls, takeUp });
    this.#marksStore = createJsonStore({
      dataDir,
      name: REVOCATION_MARKS_FILE,
      schema: marksSchema,
      version: 1,
    });
  }

  /**
   * What the server before had in force is in force: files that are lost are written anew.
   * @throws MeshError data-damaged where nobody knows what a file said; data-unreadable,
   * data-unwritable
   */
  static async open(options: RevocationSourceOptions): Promise<RevocationSource> {
    const source = new RevocationSource(options);
    await source.#begin();
    await source.check();
    return source;
  }

  /** Files that are gone or damaged, in words. */
  get troubles(): readonly string[] {
    return this.#troubles;
  }

  /** When the revocation lists in force begin and end; undefined: none are. */
  get crlPeriod(): Period | undefined {
    const { crls } = this.inForce.value;
    if (crls === undefined) return undefined;
    // They are back-dated: half of their life is what is left when they are due.
    const beginsAtMs = 2 * crls.renewAtMs - crls.nextUpdateMs;
    return { beginsAtMs, endsAtMs: crls.nextUpdateMs };
  }

  /** Looks at the data folder now. @throws MeshError what keeps a change from being in force */
  async check(): Promise<void> {
    const { dataDir, clock, authority, meshes } = this.#options;
    const files = await this.#folder.look();
    const isAny = this.#known !== undefined && this.#known.size > 0;
    const handedOut = files === '[]' && !isAny ? [] : await listHandedOutFiles(dataDir);
    const issuers = authority.crls?.issuers().map(({ keyIdHex }) => keyIdHex);
    const formers = meshes().flatMap(({ services }) =>
      [...services.values()].flatMap(({ name, formerly }) =>
        formerly ? [[name, ...formerly]] : [],
      ),
    );
    const seen = JSON.stringify([files, handedOut, issuers, formers]);
    if (seen === this.#seen && !this.#isDue(timesOf(clock))) return;
    await this.#take();
    this.#seen = seen;
  }

  /** The issuing CAs are others: each gets its list, and the lists are published. */
  async renewLists(): Promise<void> {
    const { value } = this.inForce;
    const crls = await this.#crlStore?.ensure(value.certificates, timesOf(this.#options.clock));
    this.#put({ ...this.inForce.value, crls });
  }

  /** Resolves when no write is under way. */
  settled(): Promise<void> {
    return this.#marksStore.settled();
  }

  async #begin(): Promise<void> {
    const { losses } = this.#options;
    const stock = await this.#folder.take();
    for (const error of stock.unknown.values()) throw error;
    if (stock.lost.length > 0) {
      await this.#folder.makeAgain(stock.lost);
      losses.note(toAnewText(stock));
    }
    const readMarks = () => this.#marksStore.read();
    this.#marks = (await losses.takeUp(REVOCATION_MARKS_FILE, readMarks)) ?? NO_MARKS;
    // Their holders' records may be gone.
    const { clock } = this.#options;
    const before = (await this.#crlStore?.listed()) ?? [];
    const { earliestMs: nowMs } = timesOf(clock);
    this.#certificates = findRevokedCertificates(stock.list, [], nowMs, before);
    this.#known = stock.list;
  }

  async #take(): Promise<void> {
    const { clock, meshes, leaves, shutOut } = this.#options;
    const stock = await this.#folder.take(this.#known);
    const { list } = stock;
    this.#known = list;
    shutOut.setList(list);
    // A leaf that is being made must be in the store before its serial is looked for there.
    await leaves.releaseWhere(
      (node) =>
        findRevocation(list, { node, ...this.#toNamed(splitNodeId(node).service) }) !== undefined,
    );
    await leaves.renewRevoked();
    const { certificates, damaged } = await this.#findCertificates(list);
    this.#certificates = certificates;
    this.#say(toLostTexts(stock, damaged));
    shutOut.setCertificates(certificates);
    const times = timesOf(clock);
    const crls = await this.#crlStore?.ensure(certificates, times);
    const marks = nextMarks(this.#marks, {
      revocations: list.values(),
      serviceOf: (serialHex) => shutOut.serviceOf(serialHex),
      meshes: meshes(),
    });
    if (marks !== this.#marks) await this.#marksStore.write(marks);
    this.#marks = marks;
    this.#lookedAtMs = times.nowMs;
    this.#put({ list, marks, crls, certificates });
    await this.#folder.forget(stock);
  }

  #toNamed(service: string): { readonly service: string; readonly names: readonly string[] } {
    return { service, names: toKnownNames(this.#options.meshes(), service) };
  }

  #say(troubles: readonly string[]): void {
    const { logger } = this.#options;
    for (const trouble of troubles) {
      if (this.#troubles.includes(trouble)) continue;
      logger.error({ trouble }, 'revocations: a file is not as it was stored');
    }
    this.#troubles = troubles;
  }

  /** Of a clock that was set, either way, too. */
  #isDue({ nowMs, earliestMs, latestMs }: Times): boolean {
    if (Math.abs(nowMs - this.#lookedAtMs) >= LOOK_AGAIN_MS) return true;
    const { crls } = this.inForce.value;
    return crls !== undefined && (latestMs >= crls.renewAtMs || earliestMs < crls.thisUpdateMs);
  }

  async #findCertificates(list: Revocations): Promise<{
    readonly certificates: readonly RevokedCertificate[];
    readonly damaged: readonly string[];
  }> {
    if (list.size === 0) return { certificates: [], damaged: [] };
    const { dataDir, clock, logger } = this.#options;
    // What has ended by one of the times that it may be is refused for as long as it may not have.
    const { earliestMs } = timesOf(clock);
    const { certificates: all, damaged } = await findCertificates(dataDir, earliestMs);
    const certificates = all.map((one) => ({ ...one, ...this.#toNamed(one.service) }));
    const before = this.#certificates;
    const found = findRevokedCertificates(list, certificates, earliestMs, before);
    if (found.length > 0 && this.#crlStore === undefined) {
      const message = 'the authority signs no revocation lists: certificates are good to their end';
      logger.warn({ certificates: found.length }, message);
    }
    return { certificates: found, damaged };
  }

  #put(state: RevocationState): void {
    const { value } = this.inForce;
    const isSame =
      value.crls?.pem === state.crls?.pem &&
      JSON.stringify(value.marks) === JSON.stringify(state.marks) &&
      JSON.stringify([...value.list]) === JSON.stringify([...state.list]);
    if (isSame) return;
    const { logger } = this.#options;
    const fields = { revocations: state.list.size, certificates: state.certificates.length };
    logger.info(fields, 'revocations in force');
    this.inForce.set(state);
  }
}
