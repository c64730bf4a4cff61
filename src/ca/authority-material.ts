// What an authority is made of: the CA chain that signs (a root, and below it the issuing CA), CAs
// that issued before, and, while the root is being changed, a second CA chain. Plain data, made and
// changed here by pure steps, and judged here when it comes back from the disk; who stores and uses
// it is not this file's matter.
// How a root is changed is in authority-change.ts.

import { createPublicKey } from 'node:crypto';
import { type Clock, DAY_MS, type Random, type Times, timesOf } from '../base/index.js';
import type { KeyType } from '../spiffe/index.js';
import { caProblems } from '../x509/check/index.js';
import {
  type Issued,
  type Issuer,
  issueIssuingCa,
  issueRoot,
  toIssuer,
} from '../x509/issue/index.js';
import type { KeySource } from '../x509/keys/index.js';
import { type CertificateFacts, readCertificate, splitPem } from '../x509/read/index.js';

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
  /** Leaves of the new chain come with the new root as signed by the old one. */
  readonly hasCross: boolean;
  /** When the stage began. */
  readonly sinceMs: number;
  /** When the change began. */
  readonly beganAtMs: number;
  /** How far it goes by itself; from there on it waits for the operator's word. */
  readonly until: ChangeGoal;
  /** The operator went back: the chain that was new goes, and the one before signs again. */
  readonly isBack: boolean;
  /** The operator says that the root which goes is bad: nobody but sidecars is waited for. */
  readonly isTainted: boolean;
}

/** `trust`: the new root is prepared; `sign`: it is activated; `end`: the old one goes. */
export type ChangeGoal = 'trust' | 'sign' | 'end';

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

/** The CAs whose leaves may be in force, the one that signs now first. */
export function toIssuers({ current, retired, change }: AuthorityMaterial): readonly Issuer[] {
  const other = change === undefined ? [] : [change.other.issuer];
  return [current.issuer, ...other, ...retired.map(({ issuer }) => issuer)];
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

/** The retired ones with one more, without those of which no leaf can be in force. */
export function withRetired(
  { retired }: AuthorityMaterial,
  issuer: Issuer,
  { earliestMs, latestMs }: Times,
): readonly RetiredIssuer[] {
  const mayHaveLeaves = ({ retiredAtMs, issuer: old }: RetiredIssuer): boolean =>
    retiredAtMs + LONGEST_LEAF_MS > earliestMs && old.facts.notAfterMs > earliestMs;
  return [{ issuer, retiredAtMs: latestMs }, ...retired].filter(mayHaveLeaves);
}
