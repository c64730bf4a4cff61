import { Server, ServerCredentials, type ServiceDefinition, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock, systemRandom } from '../../src/base/index.js';
import { loadOrCreateServerCredential, type ServerCredential } from '../../src/ca/xds/index.js';
import { istio } from '../../src/gen/wire.js';
import { CERTIFICATE_SERVICE, requestCertificate } from '../../src/grpc/certificates/index.js';
import { toMethod } from '../../src/grpc/method.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { meshErrorOf, temporaryDataDir } from '../x509/tools.js';
import { listen } from './ads-server.js';

// The client of `cert --xds` and servers that answer as ours doesn't.

const { IstioCertificateRequest, IstioCertificateResponse } = istio.v1.auth;
const METHOD = 'CreateCertificate';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

type Answer = (
  request: Buffer,
  done: (error: { code: status; details: string } | null, answer?: Uint8Array) => void,
) => void;

/** Over TLS as on the xDS port. */
async function serve(answer: Answer): Promise<{ address: string; credential: ServerCredential }> {
  const dataDir = await temporaryDataDir();
  const identity = { dataDir, clock: systemClock, random: systemRandom };
  const credential = await loadOrCreateServerCredential(identity);
  const server = new Server();
  const method = toMethod({
    ...{ service: CERTIFICATE_SERVICE, name: METHOD, requestStream: false, responseStream: false },
  });
  server.addService({ [METHOD]: method } as ServiceDefinition, {
    [METHOD]: (call: { request: Buffer }, done: Parameters<Answer>[1]) =>
      answer(call.request, done),
  });
  const { chainPem, keyPem } = credential.certificate();
  const pair = { cert_chain: Buffer.from(chainPem), private_key: Buffer.from(keyPem) };
  const address = await listen(server, ServerCredentials.createSsl(null, [pair], false));
  cleanups.push(
    () => server.forceShutdown(),
    () => credential.close(),
  );
  return { address, credential };
}

async function ask(answer: Answer, clock = new ManualClock()) {
  const { address, credential } = await serve(answer);
  const { anchorPem, serverName } = credential;
  const asked = requestCertificate({
    ...{ address, anchorPem, serverName, clock, csrPem: 'a request', validityS: 2 ** 40 },
    credential: { kind: 'token', token: 'x' },
  });
  return { address, asked };
}

const encode = (certChain: readonly string[]): Uint8Array =>
  IstioCertificateResponse.encode({ certChain }).finish();

describe('the client of cert --xds', () => {
  test('its request is what the generated code reads, and back', async () => {
    const clock = new ManualClock();
    let request: Buffer = Buffer.alloc(0);
    const { asked } = await ask((bytes, done) => {
      request = bytes;
      done(null, encode(['leaf', 'root']));
    }, clock);
    expect(await asked).toEqual(['leaf', 'root']);
    const { csr, validityDuration } = IstioCertificateRequest.decode(request);
    expect([csr, Number(validityDuration)]).toEqual(['a request', 2 ** 40]);
    expect(clock.pending).toBe(0);
  });

  test.each<[name: string, answer: Uint8Array]>([
    ['no chain', encode([])],
    ['a leaf without an anchor', encode(['leaf'])],
    ['other bytes', Buffer.from([0xff])],
  ])('an answer of %s', async (_name, answer) => {
    const { address, asked } = await ask((_, done) => done(null, answer));
    expect(await meshErrorOf(() => asked)).toMatchObject({
      code: 'server-error',
      message: `expected a chain from ${address} but got other bytes`,
    });
  });

  test('a refusal, in the words of the server', async () => {
    const { asked } = await ask((_, done) =>
      done({ code: status.RESOURCE_EXHAUSTED, details: 'too many' }),
    );
    expect(await meshErrorOf(() => asked)).toMatchObject({
      ...{ code: 'resource-limit', message: 'the server refuses: too many' },
    });
  });

  test('no answer in 15 s: given up', async () => {
    const clock = new ManualClock();
    const { address, asked } = await ask(() => clock.advance(15_000), clock);
    expect(await meshErrorOf(() => asked)).toMatchObject({
      code: 'server-unreachable',
      message: `expected a server at ${address} but got: no answer`,
    });
  });
});
