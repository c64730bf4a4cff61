import { describe, expect, it } from 'vitest';
import { type LeafCertificate, loadOrCreateAuthority } from '../../../src/ca/index.js';
import type { Caller } from '../../../src/grpc/index.js';
import { serviceName } from '../../../src/policy/index.js';
import type { Proof } from '../../../src/server/join/index.js';
import { authenticateCaller, type ProofOptions } from '../../../src/server/join/proof.js';
import { parseSpiffeId } from '../../../src/spiffe/index.js';
import { createTokenKeys } from '../../../src/tokens/index.js';
import { splitPem } from '../../../src/x509/read/index.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { seededRandom } from '../../fakes/seeded-random.js';
import { meshOf } from '../../policy/helpers.js';
import { MemoryDataDir } from '../../x509/tools.js';

const MESH = meshOf(`trustDomain: shop.example
services:
  web: {}
  payments/ledger: {}
  payments/reader: { serviceAccount: shared }
  payments/writer: { serviceAccount: shared }`);
const HOUR_MS = 3_600_000;
const clock = new ManualClock();
const random = seededRandom('proof');
const identity = { dataDir: new MemoryDataDir(), clock, random };
const tokens = await createTokenKeys(identity);
const { authority } = await loadOrCreateAuthority({ ...identity, trustDomain: 'shop.example' });

function bearer(subject: string, instance?: string): { authorization: string; id: string } {
  const request = { audience: 'countersign-xds', subject, ttlMs: HOUR_MS } as const;
  const signed = tokens.sign(instance === undefined ? request : { ...request, instance });
  return { authorization: `Bearer ${signed.token}`, id: signed.id };
}

function certify(path: string, dnsNames: readonly string[] = []): Promise<LeafCertificate> {
  const spiffeId = parseSpiffeId(`spiffe://shop.example/${path}`);
  return authority.issueLeaf({ spiffeId, dnsNames, ttlMs: HOUR_MS, key: 'ecdsa-p256' });
}

interface Shown {
  readonly authorization?: string;
  readonly leaf?: LeafCertificate;
}

function prove(
  { authorization, leaf }: Shown,
  options: Partial<ProofOptions> = {},
): Promise<Proof> {
  const certificate = leaf === undefined ? undefined : splitPem(leaf.chainPem)[0];
  const caller: Caller = { address: '10.9.9.9', authorization, certificate };
  const ownerOf = async () => ({ node: undefined });
  const nowMs = clock.now();
  return authenticateCaller(caller, { tokens, mesh: MESH, nowMs, ownerOf, ...options });
}

const web = await certify('ns/default/sa/web');
const ledger = await certify('ns/payments/sa/ledger');
const shared = await certify('ns/payments/sa/shared');
const READER_NAMES = ['reader.payments', 'reader.payments.mesh'];
const reader = await certify('ns/payments/sa/shared', READER_NAMES);
const gone = await certify('ns/default/sa/gone');
const later = web.notAfterMs;

const byCertificate = ({ serialHex, notAfterMs }: LeafCertificate) => ({
  credential: { kind: 'certificate', serialHex, notAfterMs },
});

describe('a caller proves its service', () => {
  it('by a token', async () => {
    const { authorization, id } = bearer('web');
    const keyId = tokens.ids().signing;
    expect(await prove({ authorization })).toEqual({
      service: 'web',
      credential: { kind: 'token', id, keyId, expiresAtMs: clock.now() + HOUR_MS },
    });
  });

  it('and its instance, by a token that is bound to one', async () => {
    expect(await prove(bearer('web', 'a'))).toMatchObject({ service: 'web', instance: 'a' });
  });

  it('by a client certificate', async () => {
    expect(await prove({ leaf: web })).toEqual({ service: 'web', ...byCertificate(web) });
  });

  it('and its instance, by a certificate that was handed out for one', async () => {
    const asked: string[] = [];
    const ownerOf = async (serialHex: string) => {
      asked.push(serialHex);
      return { node: 'web~a' } as const;
    };
    expect(await prove({ leaf: web }, { ownerOf })).toEqual({
      service: 'web',
      instance: 'a',
      ...byCertificate(web),
    });
    expect(asked).toEqual([web.serialHex]);
  });

  it('and its addresses, by a token or a certificate that is bound to some', async () => {
    const addresses = ['10.0.0.7', 'fd00::/8'];
    const request = { audience: 'countersign-xds', subject: 'web', ttlMs: HOUR_MS } as const;
    const authorization = tokens.sign({ ...request, addresses }).token;
    expect(await prove({ authorization })).toMatchObject({ service: 'web', addresses });
    for (const node of [undefined, 'web~a'] as const) {
      const ownerOf = async () => ({ node, addresses });
      expect(await prove({ leaf: web }, { ownerOf })).toMatchObject({ service: 'web', addresses });
    }
  });

  it('and the service of its node, where several share a service account', async () => {
    const ownerOf = async () => ({ node: 'payments/reader~a' }) as const;
    const claimed = serviceName('payments/writer');
    expect(await prove({ leaf: shared }, { ownerOf, claimed })).toMatchObject({
      service: 'payments/reader',
      instance: 'a',
    });
  });

  it('not by a certificate that nobody has a record of', async () => {
    const ownerOf = async () => undefined;
    await expect(prove({ leaf: web }, { ownerOf })).rejects.toMatchObject({
      code: 'certificate-refused',
      variant: 'unrecorded',
    });
  });

  it('by a client certificate, whatever it claims beside', async () => {
    const claimed = serviceName('payments/ledger');
    expect(await prove({ leaf: web }, { claimed })).toMatchObject({ service: 'web' });
  });

  it.each(['payments/reader', 'payments/writer'])(
    'by a claim among those of one service account (%s)',
    async (name) => {
      const claimed = serviceName(name);
      expect(await prove({ leaf: shared }, { claimed })).toEqual({
        service: name,
        ...byCertificate(shared),
      });
    },
  );

  it('by the DNS names of its certificate, among those of one service account', async () => {
    expect(await prove({ leaf: reader })).toMatchObject({ service: 'payments/reader' });
  });

  it('by the token where it shows both', async () => {
    const { authorization, id } = bearer('payments/writer');
    expect(await prove({ authorization, leaf: reader })).toMatchObject({
      service: 'payments/writer',
      credential: { kind: 'token', id },
    });
  });

  it('by the token beside a certificate that has ended', async () => {
    const request = { audience: 'countersign-xds', subject: 'web', ttlMs: 10 * HOUR_MS } as const;
    const authorization = `Bearer ${tokens.sign(request).token}`;
    expect(await prove({ authorization, leaf: web }, { nowMs: later })).toMatchObject({
      credential: { kind: 'token' },
    });
  });
});

describe('a caller is refused', () => {
  it.each<[string, Shown, Partial<ProofOptions>, string]>([
    ['that shows nothing', {}, {}, 'token-missing'],
    ['with a certificate that has ended', { leaf: web }, { nowMs: later }, 'certificate-refused'],
    ['with a certificate of no service', { leaf: gone }, {}, 'service-unknown'],
    [
      'with a token and the certificate of another service',
      { ...bearer('web'), leaf: ledger },
      {},
      'token-wrong-service',
    ],
    [
      'with a token and a certificate of no service',
      { ...bearer('web'), leaf: gone },
      {},
      'token-wrong-service',
    ],
    [
      'with a bad token, whatever its certificate',
      { authorization: 'Bearer hunter2', leaf: web },
      {},
      'token-invalid',
    ],
    [
      'with a certificate of several services, claiming none of them',
      { leaf: shared },
      { claimed: serviceName('web') },
      'token-wrong-service',
    ],
    ['with a certificate of several services', { leaf: shared }, {}, 'token-wrong-service'],
    ['with a token of no service', bearer('gone'), {}, 'service-unknown'],
  ])('%s', async (_name, shown, options, code) => {
    await expect(prove(shown, options)).rejects.toThrow(expect.objectContaining({ code }));
  });

  it('with a certificate of another trust domain', async () => {
    const mesh = meshOf('{ trustDomain: other.example, services: { web: {} } }');
    await expect(prove({ leaf: web }, { mesh })).rejects.toThrow(
      expect.objectContaining({ code: 'certificate-refused' }),
    );
  });
});

it('a token may come before its service: it is good once mesh.yaml declares it', async () => {
  const { authorization } = bearer('new');
  await expect(prove({ authorization })).rejects.toThrow(
    expect.objectContaining({
      code: 'service-unknown',
      hint: 'declare the service in mesh.yaml; the sidecar will try again by itself',
    }),
  );
  const mesh = meshOf('{ trustDomain: shop.example, services: { new: {} } }');
  expect(await prove({ authorization }, { mesh })).toMatchObject({ service: 'new' });
});

describe('a caller by an earlier name of its service', () => {
  const mesh = meshOf(`trustDomain: shop.example
services:
  payments/books: { formerly: [web] }`);

  it('is let in by its token, as the node that it was', async () => {
    const { authorization } = bearer('web', 'one');
    expect(await prove({ authorization }, { mesh })).toMatchObject({
      service: 'web',
      instance: 'one',
    });
  });

  it('is let in by its certificate, as the node that it was', async () => {
    expect(await prove({ leaf: web }, { mesh })).toMatchObject({ service: 'payments/books' });
    const ownerOf = async () => ({ node: 'web~one' as const });
    expect(await prove({ leaf: web }, { mesh, ownerOf })).toMatchObject({
      service: 'web',
      instance: 'one',
    });
  });

  it('may have a token of the new name and a certificate of the old one', async () => {
    const { authorization } = bearer('payments/books');
    expect(await prove({ authorization, leaf: web }, { mesh })).toMatchObject({
      service: 'payments/books',
    });
  });

  it('is nobody once the name is good no longer', async () => {
    const without = meshOf('trustDomain: shop.example\nservices:\n  payments/books: {}');
    const { authorization } = bearer('web');
    await expect(prove({ authorization }, { mesh: without })).rejects.toMatchObject({
      code: 'service-unknown',
    });
  });
});
