// A CA that somebody brings, from PEM to a chain that can sign: a root with its key, below which an
// issuing CA is made here; or an intermediate with its key and the certificates up to its root,
// whose own key stays where it is. Everything that is wrong is said at once, each in its own words,
// and a leaf is issued on trial, by all rules, before the chain is called good.
import { MeshError, MINUTE_MS } from '../base/index.js';
import { toSpiffeId, tryTrustDomain } from '../spiffe/index.js';
import { missingExtensions } from '../x509/check/index.js';
import { toIssuer } from '../x509/issue/index.js';
import { openKey } from '../x509/keys/index.js';
import {
  type CertificateFacts,
  isSignedBy,
  readCertificate,
  splitPem,
  toPem,
} from '../x509/read/index.js';
import { LocalAuthority } from './authority.js';
import {
  type AuthorityTools,
  type CaChain,
  caChainProblems,
  createCaChainUnder,
} from './authority-material.js';

/** As files hold it. */
export interface BroughtCa {
  /** The CA's certificate first; what is above it may follow. */
  readonly certificatePem: string;
  /** PKCS #8, PKCS #1 or SEC 1; may be encrypted. Never part of an error. */
  readonly privateKeyPem: string;
  readonly passphrase?: string | undefined;
  /** Further certificates up to the root, in any order. */
  readonly chainPem?: string | undefined;
}

/** The same key and subject, so that what it signed stays good. */
const REMAKE = 'make it again: openssl req -x509 -key <its key> -subj <its subject> -days 3650';
const HINT = 'nothing was changed; `openssl x509 -text -in <file>` shows what a certificate says';

/** The trust domain that a CA certificate names by its SPIFFE ID; undefined where it names none. */
export function trustDomainOfCa(certificatePem: string): string | undefined {
  const [facts] = splitPem(certificatePem).map(readCertificate);
  return facts?.uris.map(tryTrustDomain).find((found) => found !== undefined);
}

/**
 * The chain of a brought CA; nothing is stored.
 * @throws MeshError certificate-invalid with all that is wrong; passphrase-missing,
 * passphrase-wrong
 */
export async function importCaChain(
  ca: BroughtCa,
  { trustDomain, tools }: { readonly trustDomain: string; readonly tools: AuthorityTools },
): Promise<CaChain> {
  const privateKeyPem = openKey(ca.privateKeyPem, ca.passphrase);
  const path = toPath([...splitPem(ca.certificatePem), ...splitChain(ca.chainPem)]);
  const [first] = path;
  const root = path.at(-1);
  if (first === undefined || root === undefined) throw refused(['expected a certificate']);
  const nowMs = tools.clock.now();
  const brought: CaChain = {
    root: { facts: root, pem: toPem(root.der) },
    rootKeyPem: first === root ? privateKeyPem : undefined,
    issuer: toIssuer({ facts: first, pem: toPem(first.der) }, privateKeyPem),
    upperPem: path
      .slice(1, -1)
      .map(({ der }) => toPem(der))
      .join(''),
  };
  const problems = caChainProblems(brought, { trustDomain, nowMs, isRoot: first === root });
  if (problems.length > 0) throw refused(problems);
  const chain =
    first === root
      ? await createCaChainUnder({ trustDomain, root: brought.issuer }, tools)
      : brought;
  await tryCaChain(chain, trustDomain, tools);
  return chain;
}

function splitChain(chainPem: string | undefined): readonly Buffer[] {
  return chainPem === undefined ? [] : splitPem(chainPem);
}

/** From the first certificate up to the self-signed one. */
function toPath(ders: readonly Buffer[]): readonly CertificateFacts[] {
  const [first, ...others] = ders.map(readCertificate);
  const path: CertificateFacts[] = [];
  for (let at = first; at !== undefined; ) {
    const facts: CertificateFacts = at;
    path.push(facts);
    if (facts.issuerDer.equals(facts.subjectDer)) return path;
    at = others.find((one) => !path.includes(one) && isSignedBy(facts, one));
  }
  const top = path.at(-1)?.x509.issuer.replaceAll('\n', ', ');
  throw new MeshError(
    'certificate-invalid',
    `expected the certificates up to a self-signed root but that of "${top}" is missing`,
    { variant: 'chain' },
  );
}

/** Issues a leaf on trial: what the rules of issuing refuse must be known before, not after. */
async function tryCaChain(
  chain: CaChain,
  trustDomain: string,
  tools: AuthorityTools,
): Promise<void> {
  const material = { trustDomain, current: chain, retired: [], change: undefined };
  const authority = new LocalAuthority(material, {
    ...tools,
    renews: false,
    save: async () => undefined,
  });
  const spiffeId = toSpiffeId({ trustDomain, namespace: 'default', serviceAccount: 'trial' });
  const request = { spiffeId, dnsNames: [], ttlMs: MINUTE_MS, key: 'ecdsa-p256' } as const;
  const { chainPem } = await authority.issueLeaf(request);
  if (!authority.vouchesFor(chainPem)) {
    throw refused(['expected a leaf of it to verify up to its root but it does not']);
  }
}

function refused(problems: readonly string[]): MeshError {
  const missing = missingExtensions(problems);
  const options = missing.map((one) => ` -addext ${one}`).join('');
  const hint = missing.length === 0 ? HINT : `${REMAKE}${options}; nothing was changed`;
  return new MeshError('certificate-invalid', problems.join('; '), { hint });
}
