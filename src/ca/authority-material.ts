// What an authority is made of: the CA chain that signs (a root, and below it the issuing CA), CAs
// that issued before, and, while the root is being changed, a second CA chain. Plain data, made and
// changed here by pure steps, and judged here when it comes back from the disk; who stores and uses
// it is not this file's matter.
//
// A change of root has two stages (DESIGN.md "Phases"): `trust`: everybody trusts both roots, and
// the old CA chain signs; `sign`: everybody trusts both, the new one signs, and its leaves come
// with the new root as signed by the old one, for clients that know only that. At its end the old
// root is gone.

import { createPublicKey } from 'node:crypto';
import { type Clock, DAY_MS, type Random, type Times, timesOf } from '../base/index.js';
import { type KeyType, toTrustDomainId } from '../spiffe/index.js';
import { caProblems } from '../x509/check/index.js';
import {
  type Issued,
  type Issuer,
  issueCertificate,
  issueIssuingCa,
  issueRoot,
  toIssuer,
  toSerialHex,
} from '../x509/issue/index.js';
import type { KeySource } from '../x509/keys/index.js';
import {
  type CertificateFacts,
  isSignedBy,
  readCertificate,
  splitPem,
  toPem,
} from '../x509/read/index.js';

export interface AuthorityTools {
  readonly clock: Clock;
  readonly random: Random;
  readonly keySource: KeySource;
}

/** A root and the CA below it that issues leaves. */
export interface CaChain {
  readonly root: Issued;
  /** Its key, where we have it: without it the issuing CA can't be renewed here. */
  readonly rootKeyPem: string | undefined;
  readonly issuer: Issuer;
  /** Certificates between the issuing CA and the root, PEM; mostly none. */
  readonly upperPem: string;
}

/** A CA that issued before; leaves of it may be in force. */
export interface RetiredIssuer {
  readonly issuer: Issuer;
  readonly retiredAtMs: number;
}

export interface CaChange {
  readonly stage: 'trust' | 'sign';
  /** The chain that will sign (`trust`), or that signed (`sign`). */
  readonly other: CaChain;
  /** The new root as signed by the old one, PEM; empty where the old root can't. */
  readonly crossPem: string;
  /** When the stage began. */
  readonly sinceMs: number;
  /** When the change began. */
  readonly beganAtMs: number;
}

/** What an authority consists of. */
export interface AuthorityMaterial {
  readonly trustDomain: string;
  readonly current: CaChain;
  readonly retired: readonly RetiredIssuer[];
  readonly change: CaChange | undefined;
}

/** What mesh.yaml may ask for at most. */
const LONGEST_LEAF_MS = 90 * DAY_MS;
const AUTHORITY_KEY: KeyType = 'ecdsa-p256';
const ALWAYS = {
  earliestBeginMs: Number.NEGATIVE_INFINITY,
  latestEndMs: Number.POSITIVE_INFINITY,
} as const;

/** A new root and issuing CA; nothing is stored. */
export async function createMaterial(
  trustDomain: string,
  tools: AuthorityTools,
): Promise<AuthorityMaterial> {
  const current = await createCaChain(trustDomain, tools);
  return { trustDomain, current, retired: [], change: undefined };
}

/** A new root with an issuing CA below it. */
export async function createCaChain(trustDomain: string, tools: AuthorityTools): Promise<CaChain> {
  const root = issueRoot(await toRequest(trustDomain, tools));
  return createCaChainUnder({ trustDomain, root }, tools);
}

/** A new issuing CA below a root whose key is here. */
export async function createCaChainUnder(
  { trustDomain, root }: { readonly trustDomain: string; readonly root: Issuer },
  tools: AuthorityTools,
): Promise<CaChain> {
  const issuer = issueIssuingCa({ ...(await toRequest(trustDomain, tools)), root });
  const { facts, pem, privateKeyPem } = root;
  return { root: { facts, pem }, rootKeyPem: privateKeyPem, issuer, upperPem: '' };
}

/** What a new CA is made of: a key of its own, and the time at which it was asked for. */
async function toRequest(trustDomain: string, { clock, random, keySource }: AuthorityTools) {
  const times = timesOf(clock);
  return { trustDomain, keys: await keySource(AUTHORITY_KEY), times, random };
}

/** The next issuing CA below the same root; the one before is remembered for its leaves. */
export async function renewIssuer(
  material: AuthorityMaterial,
  tools: AuthorityTools,
): Promise<AuthorityMaterial> {
  const { trustDomain, current } = material;
  const { root, rootKeyPem } = current;
  if (rootKeyPem === undefined) return material;
  const request = await toRequest(trustDomain, tools);
  const issuer = issueIssuingCa({ ...request, root: toIssuer(root, rootKeyPem) });
  return {
    ...material,
    current: { ...current, issuer },
    retired: withRetired(material, current.issuer, timesOf(tools.clock)),
  };
}

/**
 * The first stage of a change to another chain; with the root that is in force already only the
 * issuing CA is another, which needs no stages.
 */
export function beginChange(
  material: AuthorityMaterial,
  next: CaChain,
  tools: Pick<AuthorityTools, 'clock' | 'random'>,
): AuthorityMaterial {
  const nowMs = tools.clock.now();
  const { current } = material;
  if (current.root.facts.der.equals(next.root.facts.der)) {
    const rootKeyPem = next.rootKeyPem ?? current.rootKeyPem;
    return {
      ...material,
      current: { ...next, rootKeyPem },
      retired: withRetired(material, current.issuer, timesOf(tools.clock)),
    };
  }
  const { trustDomain } = material;
  const { random } = tools;
  const crossPem = toCrossPem({ trustDomain, old: current, next, nowMs, random });
  const times = { sinceMs: nowMs, beganAtMs: nowMs };
  return { ...material, change: { stage: 'trust', other: next, crossPem, ...times } };
}

/** The second stage: the new chain signs. */
export function signByOther(material: AuthorityMaterial, nowMs: number): AuthorityMaterial {
  const { current, change } = material;
  if (change?.stage !== 'trust') return material;
  return {
    ...material,
    current: change.other,
    change: { ...change, stage: 'sign', other: current, sinceMs: nowMs },
  };
}

/** The end of a change: the old root, and what issued below it, is gone. */
export function endChange(material: AuthorityMaterial): AuthorityMaterial {
  if (material.change?.stage !== 'sign') return material;
  const { root } = material.current;
  const isOfRoot = ({ issuer }: RetiredIssuer): boolean => isSignedBy(issuer.facts, root.facts);
  return { ...material, retired: material.retired.filter(isOfRoot), change: undefined };
}

/** The CAs whose leaves may be in force, the one that signs now first. */
export function toIssuers({ current, retired, change }: AuthorityMaterial): readonly Issuer[] {
  const other = change === undefined ? [] : [change.other.issuer];
  return [current.issuer, ...other, ...retired.map(({ issuer }) => issuer)];
}

/** What follows a leaf in its chain. */
export function toChainPem({ current, change }: AuthorityMaterial): string {
  const crossPem = change?.stage === 'sign' ? change.crossPem : '';
  return current.issuer.pem + current.upperPem + crossPem;
}

/**
 * What is wrong with stored material; none where it is what was stored. Whether it is in force
 * shows when it is to sign: a folder whose root has ended, or whose clock is wrong, can be mended
 * by the server that runs on it.
 */
export function materialProblems(material: AuthorityMaterial): readonly string[] {
  const { trustDomain, current, change } = material;
  const chains = change === undefined ? [current] : [current, change.other];
  return chains.flatMap((chain) => caChainProblems(chain, { trustDomain, nowMs: undefined }));
}

/**
 * What is wrong with a chain, the root first. The end of what can be replaced below the root is no
 * problem before it is to sign.
 */
export function caChainProblems(
  { root, rootKeyPem, issuer, upperPem }: CaChain,
  options: {
    readonly trustDomain: string;
    /** Undefined: whether it is in force doesn't matter yet. */
    readonly nowMs: number | undefined;
    /** The chain is a root alone, below which an issuing CA is still to be made. */
    readonly isRoot?: boolean;
  },
): readonly string[] {
  const { trustDomain, nowMs, isRoot = false } = options;
  if (isRoot) {
    const subject = { facts: root.facts, issuer: root.facts, trustDomain, nowMs, pathLength: 1 };
    return withName('root', [...caProblems(subject), ...keyProblems(root.facts, rootKeyPem)]);
  }
  const upper = upperPem === '' ? [] : splitPem(upperPem).map(readCertificate);
  const path = [issuer.facts, ...upper, root.facts];
  const keys = [issuer.privateKeyPem, ...upper.map(() => undefined), rootKeyPem];
  const names = ['intermediate', ...upper.map((_, i) => `chain certificate ${i + 1}`), 'root'];
  const found = path.map((facts, i) => {
    const above = path[i + 1] ?? facts;
    const isReplaceable = facts === issuer.facts && rootKeyPem !== undefined;
    const at = isReplaceable ? undefined : nowMs;
    const subject = { facts, issuer: above, trustDomain, pathLength: i, nowMs: at };
    return withName(names[i] ?? '', [...caProblems(subject), ...keyProblems(facts, keys[i])]);
  });
  return found.reverse().flat();
}

function withName(name: string, problems: readonly string[]): readonly string[] {
  return problems.map((text) => `${name}: ${text}`);
}

function keyProblems(facts: CertificateFacts, keyPem: string | undefined): readonly string[] {
  if (keyPem === undefined) return [];
  const own = createPublicKey(keyPem).export({ type: 'spki', format: 'der' });
  if (own.equals(facts.x509.publicKey.export({ type: 'spki', format: 'der' }))) return [];
  return ['expected the private key of this certificate but got another'];
}

function withRetired(
  { retired }: AuthorityMaterial,
  issuer: Issuer,
  { earliestMs, latestMs }: Times,
): readonly RetiredIssuer[] {
  const mayHaveLeaves = ({ retiredAtMs, issuer: old }: RetiredIssuer): boolean =>
    retiredAtMs + LONGEST_LEAF_MS > earliestMs && old.facts.notAfterMs > earliestMs;
  return [{ issuer, retiredAtMs: latestMs }, ...retired].filter(mayHaveLeaves);
}

/**
 * The new root as a CA below the old one, so that who trusts only the old one can follow a new
 * chain up to it. Not where the old root's key is elsewhere, or its path length allows too few.
 */
function toCrossPem(options: {
  readonly trustDomain: string;
  readonly old: CaChain;
  readonly next: CaChain;
  readonly nowMs: number;
  readonly random: Random;
}): string {
  const { trustDomain, old, next, nowMs, random } = options;
  const below = next.upperPem === '' ? 1 : 2;
  const allowed = old.root.facts.pathLength;
  if (old.rootKeyPem === undefined || (allowed !== undefined && allowed <= below)) return '';
  const { facts } = next.root;
  const notBeforeMs = Math.max(facts.notBeforeMs, old.root.facts.notBeforeMs);
  const notAfterMs = Math.min(facts.notAfterMs, old.root.facts.notAfterMs);
  // An old root that has ended leads nobody anywhere.
  if (notAfterMs <= Math.max(nowMs, notBeforeMs)) return '';
  const spiffeId = toTrustDomainId(trustDomain);
  const issued = issueCertificate({
    template: {
      serialHex: toSerialHex(random),
      subject: [],
      subjectDer: facts.subjectDer,
      notBeforeMs,
      notAfterMs,
      publicKeyDer: facts.publicKeyDer,
      ...(facts.keyIdHex === undefined ? {} : { keyIdHex: facts.keyIdHex }),
      isCa: true,
      pathLength: below,
      keyUsage: ['keyCertSign', 'cRLSign'],
      extendedKeyUsage: [],
      uris: [spiffeId],
      dnsNames: [],
      ips: [],
    },
    keys: undefined,
    issuer: toIssuer(old.root, old.rootKeyPem),
    expected: { kind: 'authority', spiffeId, pathLength: below, ...ALWAYS },
  });
  return toPem(issued.facts.der);
}
