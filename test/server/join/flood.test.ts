// Bad tokens without end from the address that good sidecars share (a NAT, a host): counted,
// whether a good one gets in at its first try, with a server that runs and with one that has just
// started.
import { beforeEach, describe, expect, it } from 'vitest';
import { MeshError } from '../../../src/base/index.js';
import type { Peer } from '../../../src/grpc/index.js';
import { serviceName } from '../../../src/policy/index.js';
import { Authenticator } from '../../../src/server/join/index.js';
import type { TokenIssuers } from '../../../src/server/join/proof.js';
import { createTokenKeys } from '../../../src/tokens/index.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { seededRandom } from '../../fakes/seeded-random.js';
import { meshOf } from '../../policy/helpers.js';
import { MemoryDataDir } from '../../x509/tools.js';

const MESH = meshOf('{ trustDomain: shop.example, services: { web: {} } }');
const HOUR_MS = 3_600_000;
const FLOOD = 300;
const ISSUER = 'https://id.example';
const clock = new ManualClock();
const tokens = await createTokenKeys({
  ...{ dataDir: new MemoryDataDir(), clock, random: seededRandom('flood') },
});
const audience = 'countersign-xds' as const;
const OURS = tokens.sign({ audience, subject: 'web', ttlMs: HOUR_MS }).token;
const ENDED = tokens.sign({ audience, subject: 'web', ttlMs: -HOUR_MS }).token;

/** A JWT as far as an issuer is found in it. */
const toJwt = (iss: string, signature: string): string =>
  `${[{ kid: 'key' }, { iss }].map(toPart).join('.')}.${signature}`;
const toPart = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const OUTSIDE = toJwt(ISSUER, 'good');

const issuers: TokenIssuers = {
  has: (issuer) => issuer === ISSUER,
  async verify(_issuer, token) {
    if (token !== OUTSIDE) throw new MeshError('token-invalid', 'the signature is another');
    return { service: serviceName('web'), expiresAtMs: clock.now() + HOUR_MS };
  },
};

function start(): Authenticator {
  return new Authenticator({
    ...{ clock, tokens, issuers, mesh: () => MESH },
    ownerOf: async () => undefined,
    refusals: { note: () => undefined },
    assertAdmitted: () => undefined,
  });
}

function join(authenticator: Authenticator, token: string, id = 'web~a'): Promise<string> {
  const node = { id, cluster: '', metadata: {}, userAgentName: '', userAgentVersion: '' };
  const authorization = `Bearer ${token}`;
  const shown = { authorization, certificate: undefined, address: '10.0.0.254' };
  const peer: Peer = { ...shown, node, variant: 'delta' };
  return authenticator.sidecar(peer).then(
    () => 'joined',
    (error: MeshError) => error.code,
  );
}

/** Of our key, with another signature each; whole in form, so that it is verified. */
const forged = (i: number): string => {
  const signature = Buffer.alloc(64, i).fill(i >> 8, 32);
  return `${OURS.slice(0, OURS.lastIndexOf('.'))}.${signature.toString('base64url')}`;
};

const FLOODS: readonly (readonly [string, (i: number) => string])[] = [
  ['another token of ours each time, forged', forged],
  ['the same forged token', () => forged(1)],
  ['a token of ours that has ended', () => ENDED],
  ['text that is no token', (i) => `guess-${i}`],
  ['another token of the issuer each time, forged', (i) => toJwt(ISSUER, `bad-${i}`)],
  ['tokens of nobody', (i) => toJwt(`https://${i}.example`, 'bad')],
];

describe.each(FLOODS)('%s', (_, toBad) => {
  let authenticator: Authenticator;
  beforeEach(() => {
    authenticator = start();
  });

  it.each([
    ['our token', OURS],
    ['the issuer’s token', OUTSIDE],
  ])('keeps out no sidecar with %s, in any of five seconds', async (_name, good) => {
    const outcomes: string[] = [];
    for (let second = 0; second < 5; second++) {
      // The server is started anew: it knows nobody.
      if (second === 3) authenticator = start();
      for (let i = 0; i < FLOOD; i++) {
        expect(await join(authenticator, toBad(second * FLOOD + i))).not.toBe('joined');
      }
      outcomes.push(await join(authenticator, good));
      clock.advance(1000);
    }
    expect(outcomes).toEqual(Array.from({ length: 5 }, () => 'joined'));
  });
});

it('a token that many share is not shut out by what one of them asks for', async () => {
  const authenticator = start();
  for (let i = 0; i < FLOOD; i++) {
    expect(await join(authenticator, OURS, 'other~a')).toBe('token-wrong-service');
  }
  expect(await join(authenticator, OURS)).toBe('joined');
});
