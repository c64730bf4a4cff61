// The authority as one file: everything in it, so that it appears by one link and changes by one
// rename. Keys are in it as PKCS #8, encrypted where the operator has given a passphrase.
import { createPrivateKey } from 'node:crypto';
import { z } from 'zod';
import { MeshError } from '../base/index.js';
import type { Issued, Issuer } from '../x509/issue/index.js';
import { encryptKey, openKey } from '../x509/keys/index.js';
import { readCertificate, splitPem } from '../x509/read/index.js';
import type { PublicChain, PublicMaterial } from './authority-facts.js';
import type { AuthorityMaterial, CaChain, CaChange, RetiredIssuer } from './authority-material.js';

const pair = z.strictObject({ certificatePem: z.string(), privateKeyPem: z.string() });
const chain = {
  root: z.strictObject({ certificatePem: z.string(), privateKeyPem: z.string().optional() }),
  intermediate: pair,
  /** Certificates between them. */
  upperPem: z.string().optional(),
};

/** A CA on its own: what a command offers the server to take over. */
export const caChainSchema = z.strictObject(chain);

export const authoritySchema = z.strictObject({
  trustDomain: z.string(),
  ...chain,
  retired: z.array(z.strictObject({ ...pair.shape, retiredAtMs: z.number() })).optional(),
  change: z
    .strictObject({
      stage: z.enum(['trust', 'sign']),
      ...chain,
      /** In files of version 2, in place of `hasCross`. */
      crossPem: z.string().optional(),
      hasCross: z.boolean().optional(),
      sinceMs: z.number(),
      beganAtMs: z.number(),
      /** Absent, as in files of version 2: to the end. */
      until: z.enum(['trust', 'sign', 'end']).optional(),
      isBack: z.boolean().optional(),
      isTainted: z.boolean().optional(),
    })
    .optional(),
});

export type StoredAuthority = z.infer<typeof authoritySchema>;
export type StoredCaChain = z.infer<typeof caChainSchema>;

/**
 * @param passphrase Opens keys that are encrypted.
 * @throws MeshError certificate-invalid for text that is no certificate or key;
 * passphrase-missing, passphrase-wrong.
 */
export function toMaterial(stored: StoredAuthority, passphrase?: string): AuthorityMaterial {
  const { trustDomain, retired = [], change } = stored;
  return {
    trustDomain,
    current: toCaChain(stored, passphrase),
    retired: retired.map(({ retiredAtMs, ...one }): RetiredIssuer => {
      return { issuer: toIssuer(one, passphrase), retiredAtMs };
    }),
    change: change === undefined ? undefined : toChange(change, passphrase),
  };
}

/** What it says without its keys. @throws as `toMaterial`, for certificates */
export function toPublicMaterial({
  trustDomain,
  change,
  retired = [],
  ...current
}: StoredAuthority): PublicMaterial {
  return {
    trustDomain,
    current: toPublicChain(current),
    retired: retired.map(({ certificatePem }) => ({ issuer: toIssued(certificatePem) })),
    change: change === undefined ? undefined : { ...toSteps(change), other: toPublicChain(change) },
  };
}

function toPublicChain({ root, intermediate }: StoredCaChain): PublicChain {
  return { root: toIssued(root.certificatePem), issuer: toIssued(intermediate.certificatePem) };
}

/** Whether a key in it lies open. */
export function hasOpenKey(stored: StoredAuthority): boolean {
  return JSON.stringify(stored).includes('BEGIN PRIVATE KEY');
}

/** A chain as it was stored. @throws as `toMaterial` */
export function toCaChain(stored: StoredCaChain, passphrase?: string): CaChain {
  const { root, intermediate, upperPem = '' } = stored;
  const rootKeyPem =
    root.privateKeyPem === undefined ? undefined : openKey(root.privateKeyPem, passphrase);
  return {
    root: toIssued(root.certificatePem),
    rootKeyPem,
    issuer: toIssuer(intermediate, passphrase),
    upperPem,
  };
}

function toChange(
  change: NonNullable<StoredAuthority['change']>,
  passphrase: string | undefined,
): CaChange {
  const { root, intermediate, upperPem } = change;
  const chain = { root, intermediate, ...(upperPem === undefined ? {} : { upperPem }) };
  return { ...toSteps(change), other: toCaChain(chain, passphrase) };
}

/** How far it is and goes. */
function toSteps(change: NonNullable<StoredAuthority['change']>): Omit<CaChange, 'other'> {
  const { stage, crossPem = '', sinceMs, beganAtMs } = change;
  const { until = 'end', isBack = false, isTainted = false, hasCross = crossPem !== '' } = change;
  return { stage, hasCross, sinceMs, beganAtMs, until, isBack, isTainted };
}

function toIssued(pem: string): Issued {
  const [der = Buffer.alloc(0)] = splitPem(pem);
  return { facts: readCertificate(der), pem };
}

function toIssuer(
  { certificatePem, privateKeyPem }: z.infer<typeof pair>,
  phrase?: string,
): Issuer {
  const keyPem = openKey(privateKeyPem, phrase);
  const issued = toIssued(certificatePem);
  return { ...issued, privateKeyPem: keyPem, privateKey: createPrivateKey(keyPem) };
}

/** As it is stored. */
export function toStoredAuthority(
  material: AuthorityMaterial,
  passphrase?: string,
): StoredAuthority {
  const { trustDomain, current, retired, change } = material;
  return {
    trustDomain,
    ...fromCaChain(current, passphrase),
    retired: retired.map(({ issuer, retiredAtMs }) => {
      return { ...fromIssuer(issuer, passphrase), retiredAtMs };
    }),
    ...(change === undefined ? {} : { change: fromChange(change, passphrase) }),
  };
}

function fromChange(
  { other, ...steps }: CaChange,
  passphrase: string | undefined,
): NonNullable<StoredAuthority['change']> {
  return { ...fromCaChain(other, passphrase), ...steps };
}

/** A CA as it is stored; its keys are encrypted where there is a passphrase. */
export function fromCaChain(
  { root, rootKeyPem, issuer, upperPem }: CaChain,
  passphrase: string | undefined,
): StoredCaChain {
  const rootKey =
    rootKeyPem === undefined ? {} : { privateKeyPem: encryptKey(rootKeyPem, passphrase) };
  return {
    root: { certificatePem: root.pem, ...rootKey },
    intermediate: fromIssuer(issuer, passphrase),
    ...(upperPem === '' ? {} : { upperPem }),
  };
}

function fromIssuer({ pem, privateKeyPem }: Issuer, passphrase: string | undefined) {
  return { certificatePem: pem, privateKeyPem: encryptKey(privateKeyPem, passphrase) };
}

/** Whether an error is about the passphrase rather than the file. */
export function isPassphraseError(error: unknown): error is MeshError {
  return (
    error instanceof MeshError &&
    (error.code === 'passphrase-missing' || error.code === 'passphrase-wrong')
  );
}
