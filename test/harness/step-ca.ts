// A real step-ca on loopback: configuration, CA and provisioner key are made here, as an operator
// would make them by `step ca init`. It keeps no database, so that a restart begins afresh.
import { createHash, generateKeyPairSync, type JsonWebKey, type KeyObject } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../src/base/index.js';
import type { TokenAlgorithm } from '../../src/ca/step-ca/provisioner-key.js';
import type { Child } from '../../src/demo/child.js';
import type { KeyType } from '../../src/spiffe/index.js';
import type { CertificateTemplate } from '../../src/x509/issue/index.js';
import { createOutsideCa, type OutsideCa } from '../ca/outside-ca.js';
import type { Harness } from './harness.js';

export interface StepCaOptions {
  readonly binary: string;
  readonly dir: string;
  readonly address: string;
  readonly port: number;
  /** Of root and intermediate. */
  readonly key?: KeyType;
  /** How the provisioner signs tokens; default ES256. */
  readonly tokenAlgorithm?: TokenAlgorithm;
  /** Of the provisioner, as step-ca names them: minTLSCertDuration, maxTLSCertDuration… */
  readonly claims?: Readonly<Record<string, string>>;
  /** Which names it may sign, as step-ca's configuration has it. */
  readonly policy?: object;
  /** Changes of the intermediate. */
  readonly intermediate?: Partial<CertificateTemplate>;
}

export interface StepCa {
  readonly url: string;
  readonly rootPath: string;
  readonly provisioner: string;
  readonly keyPath: string;
  readonly ca: OutsideCa;
  start(): Promise<void>;
  /** As a crash would. */
  kill(): Promise<void>;
  log(): readonly string[];
}

const PROVISIONER = 'countersign';
const TOKEN_KEYS: Readonly<Record<TokenAlgorithm, () => KeyObject>> = {
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  ES384: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey,
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
};

export async function createStepCa(harness: Harness, options: StepCaOptions): Promise<StepCa> {
  const { dir, address, port, binary, key = 'ecdsa-p256', claims = {}, intermediate } = options;
  const policy = options.policy === undefined ? {} : { policy: options.policy };
  await mkdir(dir, { recursive: true });
  const at = (name: string): string => join(dir, name);
  const ca = await createOutsideCa({
    nowMs: systemClock.now(),
    key,
    ...(intermediate === undefined ? {} : { intermediate }),
  });
  const alg = options.tokenAlgorithm ?? 'ES256';
  const secret = TOKEN_KEYS[alg]().export({ format: 'jwk' });
  await writeFile(at('root_ca.crt'), ca.root.pem);
  await writeFile(at('intermediate_ca.crt'), ca.intermediate.pem);
  await writeFile(at('intermediate_ca_key'), ca.intermediate.keys.privateKeyPem, { mode: 0o600 });
  await writeFile(at('provisioner.jwk'), JSON.stringify(secret), { mode: 0o600 });
  const provisioner = { type: 'JWK', name: PROVISIONER, key: toPublicJwk(secret, alg), claims };
  const config = {
    root: at('root_ca.crt'),
    crt: at('intermediate_ca.crt'),
    key: at('intermediate_ca_key'),
    address: `${address}:${port}`,
    dnsNames: [address],
    logger: { format: 'text' },
    authority: { provisioners: [provisioner], ...policy },
  };
  await writeFile(at('ca.json'), JSON.stringify(config));
  let child: Child | undefined;
  return {
    url: `https://${address}:${port}`,
    rootPath: at('root_ca.crt'),
    provisioner: PROVISIONER,
    keyPath: at('provisioner.jwk'),
    ca,
    async start() {
      const env = { HOME: dir, STEPPATH: dir };
      const args = [at('ca.json')];
      ({ child } = await harness.process({ name: 'step-ca', command: binary, args, env }));
      await child.waitForLog(/Serving HTTPS/);
    },
    async kill() {
      await child?.kill();
    },
    log: () => child?.log() ?? [],
  };
}

/** With the thumbprint (RFC 7638) as its id, as `step` makes it. */
function toPublicJwk({ kty, crv, x, y, e, n }: JsonWebKey, alg: TokenAlgorithm): object {
  const required = kty === 'RSA' ? { e, kty, n } : { crv, kty, x, y };
  const thumbprint = createHash('sha256').update(JSON.stringify(required));
  return { ...required, use: 'sig', alg, kid: thumbprint.digest('base64url') };
}
