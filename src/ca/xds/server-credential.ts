// The xDS port's own TLS identity, apart from the mesh: an anchor that bootstraps pin for a host's
// life (a bootstrap cannot be reloaded, so no CA rotation may touch it) and a server certificate
// under it, which is renewed in time. Sidecars verify it by the fixed name, whatever address they
// reach it at; the other names are for people and tools.

import { type Cancel, HOUR_MS, timesOf } from '../../base/index.js';
import { damaged } from '../../data/index.js';
import { certificateProblems } from '../../x509/check/index.js';
import {
  caPeriodFrom,
  type Issuer,
  issueCertificate,
  planCaRenewal,
  toIssuer,
  toSerialHex,
} from '../../x509/issue/index.js';
import { generateKeys } from '../../x509/keys/index.js';
import type { CertificateFacts } from '../../x509/read/index.js';
import { loadIssuer, writeIssuer } from './stored-issuer.js';
import { loadOrCreateAnchor, type XdsAnchorOptions } from './xds-anchor.js';
import { XDS_SERVER_LIFETIME_MS, xdsServerTemplate } from './xds-templates.js';

export interface ServerCertificate {
  /** PKCS #8. Never logged. */
  readonly keyPem: string;
  readonly chainPem: string;
  /** Ms since the epoch. */
  readonly notAfterMs: number;
}

export interface ServerCredential {
  /** What bootstraps pin, PEM. */
  readonly anchorPem: string;
  /** The DNS name that bootstraps verify. */
  readonly serverName: string;
  /** The certificate in force. */
  certificate(): ServerCertificate;
  /** Calls back after a new certificate was stored and put in force. */
  onRenewed(listener: (certificate: ServerCertificate) => void): Cancel;
  /** The clock was set: looks now whether the certificate is due. */
  reconsider(): void;
  /** Ends the renewal. */
  close(): void;
}

export interface ServerCredentialOptions extends XdsAnchorOptions {
  /** Further DNS names and addresses that the server is reached at. */
  readonly dnsNames?: readonly string[];
  readonly ips?: readonly string[];
  /** A renewal failed; it is tried again within the hour. Must not throw. */
  readonly onProblem?: (error: unknown) => void;
  /** Sets the file of the certificate aside where it is damaged: it can be made again. */
  readonly takeUp?: <T>(name: string, read: () => Promise<T>) => Promise<T | undefined>;
}

/** In `.internal`, which ICANN reserves for private use, so that nobody else can own the name. */
export const XDS_SERVER_NAME = 'xds.countersign.internal';

const SERVER_FILE = 'xds-server.json';
const CHECK_EVERY_MS = HOUR_MS;
const ALWAYS = {
  earliestBeginMs: Number.NEGATIVE_INFINITY,
  latestEndMs: Number.POSITIVE_INFINITY,
} as const;

/**
 * The anchor of the xDS port, PEM, made on first use: all that a bootstrap needs.
 * @throws MeshError data-damaged, data-unreadable, data-unwritable
 */
export async function loadOrCreateAnchorPem(options: XdsAnchorOptions): Promise<string> {
  return (await loadOrCreateAnchor(options)).pem;
}

/**
 * Anchor and server certificate from the data folder, made on first use and renewed until `close`.
 * @throws MeshError data-damaged, data-unreadable, data-unwritable
 */
export async function loadOrCreateServerCredential(
  options: ServerCredentialOptions,
): Promise<ServerCredential> {
  const anchor = await loadOrCreateAnchor(options);
  const load = () => loadServer(options, anchor);
  const stored = await (options.takeUp?.(SERVER_FILE, load) ?? load());
  const credential = new RenewedCredential(options, anchor, stored);
  await credential.start();
  return credential;
}

class RenewedCredential implements ServerCredential {
  readonly anchorPem: string;
  readonly serverName = XDS_SERVER_NAME;
  readonly #options: ServerCredentialOptions;
  readonly #anchor: Issuer;
  readonly #listeners = new Set<(certificate: ServerCertificate) => void>();
  #server: Issuer | undefined;
  #cancelTimer: Cancel | undefined;
  #closed = false;

  constructor(options: ServerCredentialOptions, anchor: Issuer, server: Issuer | undefined) {
    this.anchorPem = anchor.pem;
    this.#options = options;
    this.#anchor = anchor;
    this.#server = server;
  }

  async start(): Promise<void> {
    // Where there is none, the port can't be opened; another can wait for a disk that is full.
    if (this.#server === undefined) await this.#renew();
    await this.#check();
  }

  certificate(): ServerCertificate {
    if (this.#server === undefined) throw new Error('the credential was not started');
    const { facts, pem, privateKeyPem } = this.#server;
    return { keyPem: privateKeyPem, chainPem: pem, notAfterMs: facts.notAfterMs };
  }

  onRenewed(listener: (certificate: ServerCertificate) => void): Cancel {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  reconsider(): void {
    void this.#check();
  }

  close(): void {
    this.#closed = true;
    this.#cancelTimer?.();
  }

  #isDue(): boolean {
    const facts = this.#server?.facts;
    if (facts === undefined || !namesMatch(facts, this.#options)) return true;
    const plan = planCaRenewal({
      present: facts,
      issuer: this.#anchor.facts,
      times: timesOf(this.#options.clock),
      lifetimeMs: XDS_SERVER_LIFETIME_MS,
    });
    return plan !== 'keep';
  }

  async #renew(): Promise<void> {
    const server = await issueServer(this.#options, this.#anchor);
    await writeIssuer(this.#options.dataDir, SERVER_FILE, server);
    this.#server = server;
  }

  #schedule(): void {
    this.#cancelTimer?.();
    if (this.#closed) return;
    // Hourly by the time of day: one timer of half a year would not count a machine's sleep.
    this.#cancelTimer = this.#options.clock.after(CHECK_EVERY_MS, () => void this.#check());
  }

  async #check(): Promise<void> {
    try {
      if (this.#isDue()) {
        await this.#renew();
        const certificate = this.certificate();
        for (const listener of [...this.#listeners]) listener(certificate);
      }
    } catch (error) {
      this.#options.onProblem?.(error);
    }
    this.#schedule();
  }
}

/** The stored server certificate; undefined where there is none under this anchor. */
async function loadServer(
  { dataDir }: ServerCredentialOptions,
  anchor: Issuer,
): Promise<Issuer | undefined> {
  const found = await loadIssuer(dataDir, SERVER_FILE);
  if (found === undefined) return undefined;
  const { facts, privateKeyPem } = found;
  const problems = certificateProblems({
    facts,
    issuer: anchor.facts,
    privateKeyPem,
    expected: { kind: 'server', dnsNames: facts.dnsNames, ...ALWAYS },
  });
  if (problems.length === 0) return found;
  throw damaged({ dataDir, name: SERVER_FILE, what: problems.join('; ') });
}

async function issueServer(options: ServerCredentialOptions, anchor: Issuer): Promise<Issuer> {
  const { clock, random, keySource = generateKeys } = options;
  const times = timesOf(clock);
  const keys = await keySource('ecdsa-p256');
  const dnsNames = toDnsNames(options);
  const issued = issueCertificate({
    template: xdsServerTemplate({
      serialHex: toSerialHex(random),
      publicKeyDer: keys.publicKeyDer,
      times,
      dnsNames,
      ips: options.ips ?? [],
      issuer: anchor.facts,
    }),
    keys,
    issuer: anchor,
    expected: {
      kind: 'server',
      dnsNames,
      ...caPeriodFrom(times, XDS_SERVER_LIFETIME_MS),
    },
  });
  return toIssuer(issued, keys.privateKeyPem);
}

function toDnsNames({ dnsNames = [] }: ServerCredentialOptions): readonly string[] {
  return [...new Set([XDS_SERVER_NAME, 'localhost', ...dnsNames])];
}

function namesMatch(facts: CertificateFacts, options: ServerCredentialOptions): boolean {
  const wanted = toDnsNames(options);
  const ips = options.ips ?? [];
  return (
    facts.dnsNames.length === wanted.length &&
    wanted.every((name) => facts.dnsNames.includes(name)) &&
    facts.ipsHex.length === ips.length &&
    ips.every((ip) => facts.x509.checkIP(ip) !== undefined)
  );
}
