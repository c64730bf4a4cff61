// Envoy logs the reason of a refused stream as the header has it. grpc-js has every space and quote
// percent-encoded, which made "expected%20a%20token%20but%20got%20none" of it.
import { connect } from 'node:http2';
import { ChannelCredentials, status } from '@grpc/grpc-js';
import { afterEach, expect, test } from 'vitest';
import { MeshError } from '../../src/base/index.js';
import { countersign } from '../../src/gen/wire.js';
import { AGGREGATED_SERVICE } from '../../src/grpc/index.js';
import { SHORT } from '../xds/script.js';
import { AdsClient } from './ads-client.js';
import { startAdsServer } from './ads-server.js';

const CDS = SHORT['cds'] ?? '';
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** Status and reason, as bytes of the wire have them. */
function rawStatus(address: string, frame: Buffer): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const session = connect(`http://${address}`);
    session.on('error', reject);
    cleanups.push(() => session.destroy());
    const stream = session.request({
      ...{ ':method': 'POST', ':path': `/${AGGREGATED_SERVICE.name}/StreamAggregatedResources` },
      ...{ 'content-type': 'application/grpc+proto', te: 'trailers' },
    });
    const note = (headers: Record<string, unknown>): void => {
      if ('grpc-status' in headers) resolve(headers);
    };
    stream.on('response', note);
    stream.on('trailers', note);
    stream.end(frame);
  });
}

const PLAIN = 'expected "a" at 127.0.0.1:8080 (or <b>) but got {c}, 100';

test.each([
  ['printable ASCII stays', PLAIN, PLAIN],
  ['a percent sign and what is not ASCII are encoded', '100% — ü', '100%25 %E2%80%94 %C3%BC'],
])("a refusal's reason in Envoy's log: %s", async (_name, message, raw) => {
  const server = await startAdsServer<string>({
    authenticate: () => {
      throw new MeshError('token-missing', message);
    },
  });
  cleanups.push(() => server.stop());
  const request = countersign.wire.DiscoveryRequest.encode({
    node: { id: 'a' },
    typeUrl: CDS,
  }).finish();
  const frame = Buffer.concat([Buffer.from([0, 0, 0, 0, request.length]), request]);
  const headers = await rawStatus(server.address, frame);
  expect({ status: headers['grpc-status'], reason: headers['grpc-message'] }).toEqual({
    status: String(status.UNAUTHENTICATED),
    reason: raw,
  });
  // And gRPC's clients decode it.
  const client = new AdsClient({
    ...{ address: server.address, variant: 'sotw' },
    credentials: ChannelCredentials.createInsecure(),
  });
  cleanups.push(() => client.close());
  client.send({
    typeUrl: CDS,
    nonce: '',
    interest: { variant: 'sotw', names: [], versionInfo: '' },
  });
  expect(await client.ended()).toMatchObject({ details: message });
});
