// The revocation lists in force, `crls.json`: stored before they are sent, and kept byte for byte
// for as long as they say what is so, over restarts too, so that nobody is sent a list for nothing.
// They are signed anew when a certificate is revoked or no longer, when the issuers change, and at
// half of their life. A certificate that has ended leaves the list with the next signing. All of it
// can be made again: a damaged file is set aside, and hinders no revocation.
import { z } from 'zod';
import { MeshError, type Times } from '../base/index.js';
import { createJsonStore, type DataDir, type DurableStore } from '../data/index.js';
import { CRL_RENEW_AT_MS, type CrlAuthority, crlProblems } from '../x509/issue/index.js';
import { type CrlFacts, readCrl, splitCrlPem } from '../x509/read/index.js';

const FILE = 'crls.json';
const schema = z.strictObject({
  /** Of the newest list ever signed. */
  number: z.number().int().positive(),
  revoked: z.array(
    z.strictObject({
      serialHex: z.string(),
      revokedAtMs: z.number(),
      /** Absent: of no certificate that is known. */
      notAfterMs: z.number().optional(),
    }),
  ),
  /** One for each issuer. */
  crlPems: z.array(z.string()),
});
type Stored = z.infer<typeof schema>;

/** A certificate to refuse. */
export interface ListedCertificate {
  readonly serialHex: string;
  readonly revokedAtMs: number;
  /** Undefined: not known, so it stays listed. */
  readonly notAfterMs: number | undefined;
}

/** The lists of all issuers. */
export interface Crls {
  readonly pem: string;
  /** When they began. */
  readonly thisUpdateMs: number;
  /** When they end, and every sidecar that holds them refuses all certificates. */
  readonly nextUpdateMs: number;
  /** When they are to be signed anew. */
  readonly renewAtMs: number;
}

export interface CrlStoreOptions {
  readonly dataDir: DataDir;
  readonly crls: CrlAuthority;
  /** Reads it; a damaged file is set aside, and counts as none. */
  readonly takeUp: <T>(name: string, read: () => Promise<T>) => Promise<T | undefined>;
}

export class CrlStore {
  readonly #options: CrlStoreOptions;
  readonly #store: DurableStore<Stored>;
  /** One at a time: numbers must grow. */
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: CrlStoreOptions) {
    this.#options = options;
    const { dataDir } = options;
    this.#store = createJsonStore({ dataDir, name: FILE, schema, version: 1 });
  }

  /**
   * The lists that say that exactly these certificates are refused, each given once; undefined:
   * none that has not ended. Durable when the promise resolves.
   * @throws MeshError data-unreadable, data-unwritable, certificate-invalid
   */
  ensure(revoked: readonly ListedCertificate[], times: Times): Promise<Crls | undefined> {
    const done = this.#running.then(() => this.#ensure(revoked, times));
    this.#running = done.catch(() => undefined);
    return done;
  }

  /** What the stored lists refuse; nothing where there are none. @throws data-unreadable */
  async listed(): Promise<readonly ListedCertificate[]> {
    const revoked = (await this.#load())?.revoked ?? [];
    return revoked.map(({ notAfterMs, ...one }) => ({ ...one, notAfterMs }));
  }

  async #ensure(revoked: readonly ListedCertificate[], times: Times): Promise<Crls | undefined> {
    const live = toLive(revoked, times);
    if (live.length === 0) return undefined;
    const stored = await this.#load();
    if (stored !== undefined && isEqual(toLive(stored.revoked, times), live)) {
      const crls = this.#tryCurrent(stored, times);
      if (crls !== undefined) return crls;
    }
    return this.#sign(live, { times, before: stored?.number ?? 0 });
  }

  async #sign(
    live: readonly ListedCertificate[],
    { times, before }: { readonly times: Times; readonly before: number },
  ): Promise<Crls> {
    const { crls } = this.#options;
    // The time of day is greater than any number before it, also where the file was lost.
    const number = Math.max(before + 1, times.nowMs);
    const crlPems = [...(await crls.sign({ revoked: live, number, times }))];
    const revoked = live.map(({ serialHex, revokedAtMs, notAfterMs }) => ({
      serialHex,
      revokedAtMs,
      ...(notAfterMs === undefined ? {} : { notAfterMs }),
    }));
    await this.#store.write({ number, revoked, crlPems });
    return toCrls(crlPems, crlPems.flatMap(splitCrlPem).map(readCrl));
  }

  /** The stored lists, where they are good and of the present issuers. */
  #tryCurrent({ crlPems, revoked }: Stored, times: Times): Crls | undefined {
    const issuers = this.#options.crls.issuers();
    try {
      const lists = crlPems.flatMap(splitCrlPem).map(readCrl);
      const isForAll =
        lists.length === issuers.length &&
        issuers.every((issuer) => {
          const crl = lists.find(({ issuerKeyIdHex }) => issuerKeyIdHex === issuer.keyIdHex);
          if (crl === undefined || crl.entries.length !== revoked.length) return false;
          return [...crlProblems({ crl, issuer, times })].length === 0;
        });
      if (!isForAll) return undefined;
      const crls = toCrls(crlPems, lists);
      return times.latestMs < crls.renewAtMs ? crls : undefined;
    } catch (error) {
      if (error instanceof MeshError) return undefined;
      throw error;
    }
  }

  #load(): Promise<Stored | undefined> {
    return this.#options.takeUp(FILE, () => this.#store.read());
  }
}

function toLive<T extends { readonly notAfterMs?: number | undefined }>(
  revoked: readonly T[],
  { earliestMs }: Times,
): readonly T[] {
  return revoked.filter(({ notAfterMs = Number.POSITIVE_INFINITY }) => notAfterMs > earliestMs);
}

/** Both in the order of their serials. */
function isEqual(
  a: readonly Pick<ListedCertificate, 'serialHex' | 'revokedAtMs'>[],
  b: readonly Pick<ListedCertificate, 'serialHex' | 'revokedAtMs'>[],
): boolean {
  const toKeys = (list: typeof a): string =>
    list.map(({ serialHex, revokedAtMs }) => `${serialHex} ${revokedAtMs}`).join();
  return toKeys(a) === toKeys(b);
}

function toCrls(crlPems: readonly string[], lists: readonly CrlFacts[]): Crls {
  const thisUpdateMs = Math.max(...lists.map((crl) => crl.thisUpdateMs));
  const nextUpdateMs = Math.min(...lists.map((crl) => crl.nextUpdateMs));
  const renewAtMs = nextUpdateMs - CRL_RENEW_AT_MS;
  return { pem: crlPems.join(''), thisUpdateMs, nextUpdateMs, renewAtMs };
}
