import { describe, expect, it } from 'vitest';
import { MeshError } from '../../../src/base/index.js';
import type { Peer } from '../../../src/grpc/index.js';
import { serviceName } from '../../../src/policy/index.js';
import { toAddressSet } from '../../../src/server/addresses/index.js';
import type { Sidecar } from '../../../src/server/join/index.js';
import { authenticateSidecar, tryClaimed } from '../../../src/server/join/sidecar.js';
import { createTokenKeys } from '../../../src/tokens/index.js';
import { TYPE_URLS } from '../../../src/xds/index.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { seededRandom } from '../../fakes/seeded-random.js';
import { meshOf } from '../../policy/helpers.js';
import { MemoryDataDir } from '../../x509/tools.js';

const MESH = meshOf('{ trustDomain: shop.example, services: { web: {}, payments/ledger: {} } }');
const LOOPED = meshOf(`trustDomain: shop.example
services:
  payments/ledger:
    ports: { 8080: http, 8081: { protocol: http, target: "127.0.0.9:8080" } }`);
const HOUR_MS = 3_600_000;
const clock = new ManualClock();
const dataDir = new MemoryDataDir();
const tokens = await createTokenKeys({ dataDir, clock, random: seededRandom('tokens') });

function tokenFor(subject: string, instance?: string): string {
  const audience = 'countersign-xds' as const;
  const request = { audience, subject, ttlMs: HOUR_MS };
  return tokens.sign(instance === undefined ? request : { ...request, instance }).token;
}

interface Claims {
  readonly id?: string;
  readonly cluster?: string;
  readonly countersign?: Readonly<Record<string, string | number>>;
  readonly authorization?: string | undefined;
  /** Of a stream of one type. */
  readonly typeUrl?: string;
}

const LEDGER = `Bearer ${tokenFor('payments/ledger')}`;
const LEDGER_1 = `Bearer ${tokenFor('payments/ledger', '1')}`;

const AT_7: Claims = {
  authorization: `Bearer ${
    tokens.sign({
      ...{ audience: 'countersign-xds', subject: 'payments/ledger', ttlMs: HOUR_MS },
      addresses: ['10.0.0.7', 'fd00::7', '10.1.0.0/16'],
    }).token
  }`,
};

async function join(
  { id = 'payments/ledger', cluster = id.split('~')[0], ...rest }: Claims,
  nowMs = clock.now(),
): Promise<Sidecar> {
  const metadata = rest.countersign === undefined ? {} : { countersign: rest.countersign };
  const peer: Peer = {
    address: '10.9.9.9',
    node: { id, cluster: cluster ?? '', metadata, userAgentName: '', userAgentVersion: '' },
    variant: 'delta',
    typeUrl: rest.typeUrl,
    authorization: 'authorization' in rest ? rest.authorization : LEDGER,
    certificate: undefined,
  };
  return authenticateSidecar(peer, { tokens, mesh: MESH, nowMs, ownerOf: async () => undefined });
}

describe('accepted', () => {
  it.each<[string, Claims, Partial<Sidecar>]>([
    [
      'the service alone: the instance is its address',
      {},
      {
        node: 'payments/ledger~10.9.9.9',
        service: 'payments/ledger' as never,
        address: '10.9.9.9',
        addressProof: 'seen',
      },
    ],
    ['an instance', { id: 'payments/ledger~a' }, { node: 'payments/ledger~a' }],
    [
      'an address of its own',
      { countersign: { address: '10.0.0.7' } },
      { node: 'payments/ledger~10.0.0.7', address: '10.0.0.7', addressProof: 'claimed' },
    ],
    [
      'a token for that address',
      { ...AT_7, countersign: { address: '::ffff:10.0.0.7' } },
      { address: '10.0.0.7', addressProof: 'bound' },
    ],
    [
      'a token for that range',
      { ...AT_7, countersign: { address: '10.1.2.3' } },
      { address: '10.1.2.3', addressProof: 'claimed' },
    ],
    ['IPv6', { countersign: { address: '2001:db8::1' } }, { address: '2001:db8::1' }],
    [
      'a prefix of its own',
      { countersign: { outbound: '127.65.3.0/24' } },
      { outbound: { kind: 'prefix', base: 0x7f410300, size: 256 } },
    ],
    ['a token of that instance', { id: 'payments/ledger~1', authorization: LEDGER_1 }, {}],
    ['no claim at all', { id: '', cluster: '' }, { node: 'payments/ledger~10.9.9.9' }],
    ['lower case scheme', { authorization: LEDGER.replace('Bearer', 'bearer') }, {}],
  ])('%s', async (_, claims, expected) => {
    expect(await join(claims)).toMatchObject(expected);
  });
});

describe('a static Envoy, which takes secrets alone', () => {
  const typeUrl = TYPE_URLS.secret;

  it.each<[string, Claims, Partial<Sidecar>]>([
    ['is told from a sidecar', {}, { node: 'payments/ledger~10.9.9.9', isStatic: true }],
    [
      'owns no address, so that any will do',
      { countersign: { address: '169.254.169.254' } },
      { address: '169.254.169.254', isStatic: true },
    ],
  ])('%s', async (_, claims, expected) => {
    expect(await join({ ...claims, typeUrl })).toMatchObject(expected);
  });

  it.each<[string, Claims, string]>([
    ['no token', { authorization: undefined }, 'token-missing'],
    [
      "another service's token",
      { authorization: `Bearer ${tokenFor('web')}` },
      'token-wrong-service',
    ],
    [
      'the token of one instance for another',
      { id: 'payments/ledger~2', authorization: LEDGER_1 },
      'token-wrong-service',
    ],
    ['an address that a token is not for', AT_7, 'address-refused'],
    ['an address that is none', { countersign: { address: 'localhost' } }, 'request-invalid'],
  ])('is refused as a sidecar is: %s', async (_, claims, code) => {
    await expect(join({ ...claims, typeUrl })).rejects.toThrow(expect.objectContaining({ code }));
  });

  it('may be where a sidecar would call itself', async () => {
    const peer: Peer = {
      ...{ address: '127.0.0.9', authorization: LEDGER, certificate: undefined },
      variant: 'delta',
      node: {
        id: 'payments/ledger',
        cluster: '',
        metadata: {},
        userAgentName: '',
        userAgentVersion: '',
      },
    };
    const options = { tokens, mesh: LOOPED, nowMs: clock.now(), ownerOf: async () => undefined };
    await expect(authenticateSidecar(peer, options)).rejects.toThrow('127.0.0.9');
    const proved = await authenticateSidecar({ ...peer, typeUrl }, options);
    expect(proved).toMatchObject({ isStatic: true, address: '127.0.0.9' });
    expect(tryClaimed({ ...peer, typeUrl })).toEqual({
      ...{ node: 'payments/ledger~127.0.0.9', address: '127.0.0.9', isStatic: true },
    });
    expect(tryClaimed(peer)).not.toHaveProperty('isStatic');
  });
});

describe('refused', () => {
  const wrong = (token: string): Claims => ({ authorization: `Bearer ${token}` });
  it.each<[string, Claims, string]>([
    ['no token', { authorization: undefined }, 'token-missing'],
    ['an empty token', wrong(''), 'token-missing'],
    ['no token but text', wrong('hello'), 'token-invalid'],
    [
      'a token of another key',
      wrong(`${tokenFor('payments/ledger').slice(0, -8)}AAAAAAAA`),
      'token-invalid',
    ],
    ['a token of a service that is not declared', wrong(tokenFor('gone')), 'service-unknown'],
    ["another service's token", wrong(tokenFor('web')), 'token-wrong-service'],
    ['a cluster that disagrees with the id', { cluster: 'web' }, 'token-wrong-service'],
    [
      'the token of one instance for another',
      { id: 'payments/ledger~2', authorization: LEDGER_1 },
      'token-wrong-service',
    ],
    ['the token of one instance for none', { authorization: LEDGER_1 }, 'token-wrong-service'],
    ['a strange instance', { id: 'payments/ledger~a b' }, 'request-invalid'],
    [
      'an instance that is too long',
      { id: `payments/ledger~${'a'.repeat(129)}` },
      'request-invalid',
    ],
    ['an address that is none', { countersign: { address: 'localhost' } }, 'request-invalid'],
    ['an address that is a number', { countersign: { address: 7 } }, 'request-invalid'],
    [
      'a prefix outside of loopback',
      { countersign: { outbound: '10.0.0.0/24' } },
      'request-invalid',
    ],
    ['a link-local address', { countersign: { address: '169.254.169.254' } }, 'address-refused'],
    ["another machine's loopback", { countersign: { address: '::1' } }, 'address-refused'],
    ['a mapped one of that', { countersign: { address: '::ffff:7f00:1' } }, 'address-refused'],
    ['an address that a token is not for', AT_7, 'address-refused'],
    ['a prefix that is a number', { countersign: { outbound: 7 } }, 'request-invalid'],
  ])('%s', async (_, claims, code) => {
    await expect(join(claims)).rejects.toThrow(expect.objectContaining({ code }));
  });

  it('an admin token', async () => {
    const { token } = tokens.sign({
      audience: 'countersign-admin',
      subject: 'payments/ledger',
      ttlMs: HOUR_MS,
    });
    await expect(join(wrong(token))).rejects.toThrow(MeshError);
  });

  it('a token past its end', async () => {
    const late = wrong(tokenFor('payments/ledger'));
    const afterMs = clock.now() + HOUR_MS + 10 * 60_000;
    await expect(join(late, afterMs)).rejects.toThrow(
      expect.objectContaining({ code: 'token-expired' }),
    );
  });
});

describe('where it listens for its callees', () => {
  it('is at addresses that it lists', async () => {
    const { outbound } = await join({ countersign: { outbound: 'web=198.18.0.2' } });
    const addresses = new Map([[serviceName('web'), '198.18.0.2']]);
    expect(outbound).toEqual({ kind: 'list', addresses });
  });

  it('is refused where the list is none', async () => {
    const expected = expect.objectContaining({ code: 'request-invalid' });
    await expect(join({ countersign: { outbound: 'web=' } })).rejects.toThrow(expected);
  });
});

describe('where it listens', () => {
  it('is at its address, or everywhere', async () => {
    expect(await join({})).toMatchObject({ listen: 'address' });
    expect(await join({ countersign: { listen: 'any' } })).toMatchObject({ listen: 'any' });
  });

  it.each([['all'], [''], [0]])('is said by no other word: %j', async (listen) => {
    const expected = expect.objectContaining({ code: 'request-invalid' });
    await expect(join({ countersign: { listen } })).rejects.toThrow(expected);
  });
});

// The server sees such a sidecar at the very address at which it has been told the application is.
describe('a sidecar whose application is where it listens itself', () => {
  const joinAt = (peerAddress: string, countersign: Claims['countersign'] = {}) => {
    const node = { id: 'payments/ledger', cluster: 'payments/ledger', metadata: { countersign } };
    const userAgent = { userAgentName: '', userAgentVersion: '' };
    const peer: Peer = {
      ...{ address: peerAddress, node: { ...node, ...userAgent }, variant: 'delta' },
      ...{ authorization: LEDGER, certificate: undefined },
    };
    const options = { tokens, mesh: LOOPED, nowMs: clock.now(), ownerOf: async () => undefined };
    return authenticateSidecar(peer, options);
  };

  it.each<[string, string, Record<string, string>]>([
    ['without an address, on the host of the server', '127.0.0.1', {}],
    ['by its address', '127.0.0.1', { address: '127.0.0.1' }],
    ['whose other port is the target', '127.0.0.1', { address: '127.0.0.9' }],
  ])('is refused: %s', async (_, peerAddress, metadata) => {
    const expected = { code: 'address-in-use', variant: 'own-application' };
    await expect(joinAt(peerAddress, metadata)).rejects.toMatchObject(expected);
  });

  it('is refused where it listens everywhere, and so where its application is', async () => {
    const expected = { code: 'address-in-use', variant: 'own-application-anywhere' };
    await expect(joinAt('10.0.0.1', { listen: 'any' })).rejects.toMatchObject(expected);
  });

  it.each<[string, string, Record<string, string>]>([
    ['at an address of its own', '127.0.0.1', { address: '127.1.0.1' }],
    ['on another machine', '10.0.0.1', {}],
  ])('joins %s', async (_, peerAddress, metadata) => {
    expect((await joinAt(peerAddress, metadata)).service).toBe('payments/ledger');
  });
});

describe('a sidecar at the address of the server', () => {
  const PORTS = meshOf(`trustDomain: shop.example
services: { payments/ledger: { ports: { 18080: { protocol: tcp, target: "127.0.0.1:9" } } } }`);
  const joinAt = (peer: string, address: string, host: string) => {
    const metadata = { countersign: { address } };
    const node = { id: 'payments/ledger', cluster: '', metadata };
    const site = {
      ...{ allowed: toAddressSet([]), isOwn: (one: string) => one === '10.0.0.1' },
      listening: [{ host, port: 18_080 }],
    };
    return authenticateSidecar(
      {
        ...{ address: peer, node: { ...node, userAgentName: '', userAgentVersion: '' } },
        ...{ variant: 'delta', authorization: LEDGER, certificate: undefined },
      },
      { tokens, mesh: PORTS, nowMs: clock.now(), ownerOf: async () => undefined, site },
    );
  };

  it.each([
    ['another machine says so', '10.9.9.9', '10.0.0.1', '127.0.0.1'],
    ['its port is the admin port', '127.0.0.1', '127.0.0.1', '127.0.0.1'],
    ['its port is of every address', '10.0.0.1', '10.0.0.1', '0.0.0.0'],
    ['its port is of a name', '10.0.0.1', '10.0.0.1', 'localhost'],
  ])('is refused where %s', async (_, peer, address, host) => {
    await expect(joinAt(peer, address, host)).rejects.toMatchObject({ code: 'address-refused' });
  });

  it.each([
    ['beside it', '127.0.0.1', '127.1.0.1', '127.0.0.1'],
    ['of which it has another port', '10.0.0.1', '10.0.0.1', '127.0.0.1'],
  ])('joins %s', async (_, peer, address, host) => {
    expect(await joinAt(peer, address, host)).toMatchObject({ address });
  });
});

it.each<[string, string, object, object | undefined]>([
  ['an instance', 'web~a', { address: '10.0.0.7' }, { node: 'web~a', address: '10.0.0.7' }],
  ['an address', 'web', { address: '10.0.0.7' }, { node: 'web~10.0.0.7', address: '10.0.0.7' }],
  ['where it is seen', 'web', {}, { node: 'web~10.9.9.9', address: '10.9.9.9' }],
  ['no service', '~a', {}, undefined],
  ['no address', 'web', { address: 'here' }, undefined],
  ['no name', 'web~a b', {}, undefined],
])('who says %s is known by that', (_, id, countersign, claimed) => {
  const node = { id, cluster: '', metadata: { countersign }, userAgentName: '' };
  const peer = { address: '10.9.9.9', node: { ...node, userAgentVersion: '' } };
  const shown = { variant: 'delta', authorization: undefined, certificate: undefined } as const;
  expect(tryClaimed({ ...peer, ...shown } as unknown as Peer)).toEqual(claimed);
});
