// `addresses` of a node issuer: the claim that says where a token's sidecar may be.
import { describe, expect, it } from 'vitest';
import { verifyIssuerToken } from '../../../src/server/join/issuers/verify.js';
import { meshOf } from '../../policy/helpers.js';
import { issue, issuerKey } from './issuer-tokens.js';

const KEY = issuerKey('ES256', 'ec');
const NOW_MS = Date.UTC(2026, 0, 1);
const [ISSUER = expect.fail()] = meshOf(`trustDomain: shop.example
services: { web: {} }
nodeIssuers:
  - issuer: https://id.example
    audiences: [countersign]
    nodes: [ { service: web, claims: { groups: web }, addresses: ips } ]
`).nodeIssuers;

function prove(ips: unknown) {
  const exp = NOW_MS / 1000 + 60;
  const claims = { iss: ISSUER.issuer, aud: 'countersign', groups: 'web', exp, ips };
  const keys = async () => [KEY.jwk];
  const source = { current: keys, again: async () => undefined, check: async () => undefined };
  return verifyIssuerToken(issue(KEY, claims), { issuer: ISSUER, source, nowMs: NOW_MS });
}

describe('addresses of an outside token', () => {
  it.each<[string, unknown, readonly string[]]>([
    ['one', '::ffff:10.0.0.7', ['10.0.0.7']],
    ['several, and ranges', ['10.0.0.7', 'FD00::/8'], ['10.0.0.7', 'fd00::/8']],
  ])('%s', async (_name, ips, addresses) => {
    expect(await prove(ips)).toMatchObject({ service: 'web', addresses });
  });

  const many = Array.from({ length: 33 }, () => '10.0.0.7');
  it.each([[undefined], [[]], ['ledger'], [['10.0.0.7', 7]], [many]])(
    'it is refused with %j',
    async (ips) => {
      const wanted = 'to be an IP address or range, or a list of at most 32 but got';
      await expect(prove(ips)).rejects.toMatchObject({
        code: 'token-invalid',
        message: expect.stringContaining(`the claim "ips" ${wanted} ${ips ? 'another' : 'none'}`),
      });
    },
  );
});
