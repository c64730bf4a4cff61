import { Server, status } from '@grpc/grpc-js';
import { afterEach, expect, test } from 'vitest';
import { MeshError } from '../../src/base/index.js';
import { istio } from '../../src/gen/wire.js';
import {
  attachCertificates,
  CERTIFICATE_SERVICE,
  type CertificateQuestion,
  type CertificatesOptions,
} from '../../src/grpc/certificates/index.js';
import { recordingLogger } from '../fakes/recording-logger.js';
import { listen } from './ads-server.js';
import { type Ended, RawClient } from './raw-client.js';

const { IstioCertificateRequest, IstioCertificateResponse } = istio.v1.auth;
const PATH = `/${CERTIFICATE_SERVICE}/CreateCertificate`;

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

async function serve(options: CertificatesOptions) {
  const server = new Server();
  attachCertificates(server, options);
  const client = new RawClient(await listen(server));
  cleanups.push(
    () => client.close(),
    () => server.forceShutdown(),
  );
  return (fields: istio.v1.auth.IstioCertificateRequest): Promise<Buffer | Ended> =>
    client.unary(IstioCertificateRequest.encode(fields).finish(), {
      path: PATH,
      authorization: 'Bearer x',
    });
}

test('what was asked, and the answer, over the wire', async () => {
  const asked: CertificateQuestion[] = [];
  const ask = await serve({
    async issue(question) {
      asked.push(question);
      return ['leaf', 'root'];
    },
  });
  const answer = await ask({ csr: 'request', validityDuration: 3600 });
  if ('code' in answer) throw new Error(answer.details);
  expect({ ...IstioCertificateResponse.decode(answer) }).toEqual({ certChain: ['leaf', 'root'] });
  await ask({});
  const from = { address: '127.0.0.1', port: expect.any(Number) };
  const caller = { ...from, authorization: 'Bearer x', certificate: undefined };
  expect(asked).toEqual([
    { caller, csr: 'request', validityS: 3600 },
    { caller, csr: '', validityS: 0 },
  ]);
});

test('more at once than its limit are refused, and served again later', async () => {
  const waiting: (() => void)[] = [];
  let started: () => void = () => undefined;
  const ask = await serve({
    maxInProgress: 1,
    issue: () =>
      new Promise((resolve) => {
        waiting.push(() => resolve(['leaf']));
        started();
      }),
  });
  const isStarted = new Promise<void>((resolve) => {
    started = resolve;
  });
  const first = ask({});
  await isStarted;
  const details = 'expected at most 1 certificate requests at once';
  expect(await ask({})).toEqual({ code: status.RESOURCE_EXHAUSTED, details });
  waiting[0]?.();
  expect(Buffer.isBuffer(await first)).toBe(true);
  started = () => waiting[1]?.();
  expect(Buffer.isBuffer(await ask({}))).toBe(true);
});

test('a refusal is told and logged; an error of ours is logged in full', async () => {
  const logger = recordingLogger();
  const errors = [new MeshError('csr-invalid', 'no good'), new Error('secret detail')];
  const ask = await serve({
    logger,
    issue: () => Promise.reject(errors.shift()),
  });
  expect(await ask({})).toEqual({ code: status.INVALID_ARGUMENT, details: 'no good' });
  expect(await ask({})).toEqual({ code: status.INTERNAL, details: 'internal error' });
  expect(logger.lines).toMatchObject([
    { level: 'warn', fields: { peer: '127.0.0.1', reason: 'no good' } },
    { level: 'error', fields: { peer: '127.0.0.1', err: { message: 'secret detail' } } },
  ]);
});
