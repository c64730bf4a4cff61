// A StepCaAuthority before a fake server, and answers of that server, good and bad.
import { generateKeyPairSync } from 'node:crypto';
import { onTestFinished } from 'vitest';
import { systemClock } from '../../../src/base/index.js';
import type { LeafRequest } from '../../../src/ca/index.js';
import { StepCaAuthority } from '../../../src/ca/step-ca/index.js';
import { parseProvisionerKey } from '../../../src/ca/step-ca/provisioner-key.js';
import { parseRoots } from '../../../src/ca/step-ca/settings.js';
import type { CertificateTemplate } from '../../../src/x509/issue/index.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { seededRandom } from '../../fakes/seeded-random.js';
import { WEB } from '../../x509/tools.js';
import { createOutsideCa, type OutsideCa } from '../outside-ca.js';
import {
  type FakeAnswer,
  type FakeHandler,
  type FakeRequest,
  startFakeStepCa,
  toAnswer,
} from './step-ca-fake.js';

const TRUST_DOMAIN = 'shop.example';
export const HOUR_MS = 3_600_000;
export const MINUTE_MS = 60_000;
/** The server's own certificate is judged by the machine's clock. */
export const NOW_MS = Math.floor(systemClock.now() / 1000) * 1000;

export const ca = await createOutsideCa({ nowMs: NOW_MS });
export const other = await createOutsideCa({ nowMs: NOW_MS, name: 'Other' });
export const provisionerKeyPem = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
}).privateKey;
const provisionerKey = parseProvisionerKey(provisionerKeyPem, 'provisioner.pem');

export const REQUEST: LeafRequest = {
  spiffeId: WEB,
  dnsNames: ['web', 'web.default'],
  ttlMs: HOUR_MS,
  key: 'ecdsa-p256',
};

export interface SetUp {
  readonly handle?: FakeHandler;
  /** Whose certificate the server shows. */
  readonly server?: OutsideCa;
  readonly ips?: readonly string[];
  readonly url?: string;
  readonly clock?: ManualClock;
}

export async function setUp(options: SetUp = {}) {
  const { clock = new ManualClock(NOW_MS), server = ca, ips = ['127.0.0.1'] } = options;
  const handle = options.handle ?? ((request) => toAnswer(request, { ca, nowMs: NOW_MS }));
  const fake = await startFakeStepCa({ ca: server, provisionerKeyPem, nowMs: NOW_MS, handle, ips });
  const roots = parseRoots(ca.root.pem, { trustDomain: TRUST_DOMAIN, nowMs: NOW_MS });
  const authority = new StepCaAuthority({
    trustDomain: TRUST_DOMAIN,
    url: options.url ?? fake.url,
    roots,
    provisioner: 'countersign',
    provisionerKey: async () => provisionerKey,
    clock,
    random: seededRandom('step-ca'),
  });
  onTestFinished(() => authority.close());
  return { authority, fake, clock };
}

export const withChange = (change: Partial<CertificateTemplate>): FakeHandler => {
  return (request) => toAnswer(request, { ca, nowMs: NOW_MS, change });
};

/** The answer with its certificates replaced. */
export function withChain(
  request: FakeRequest,
  change: (chain: readonly string[]) => readonly string[],
): FakeAnswer {
  const { certChain } = toAnswer(request, { ca, nowMs: NOW_MS }).body as { certChain: string[] };
  return { body: { certChain: change(certChain) } };
}
