// Envoy's statistics over the wire: what is read of them, and what foreign bytes can make of it.
import { Server, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { MeshError } from '../../src/base/index.js';
import { opentelemetry } from '../../src/gen/wire.js';
import {
  attachStatistics,
  METRICS_SERVICE,
  type StatisticsCall,
} from '../../src/grpc/statistics/index.js';
import { MAX_REPORT_BYTES } from '../../src/grpc/statistics/report.js';
import { recordingLogger } from '../fakes/recording-logger.js';
import { seededRandom } from '../fakes/seeded-random.js';
import { listen } from './ads-server.js';
import { type Ended, RawClient } from './raw-client.js';

const { ExportMetricsServiceRequest } = opentelemetry.proto.collector.metrics.v1;
type Metric = opentelemetry.proto.metrics.v1.Metric;

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

const bytesOf = (
  attributes: Readonly<Record<string, string>>,
  metrics: readonly Metric[],
): Uint8Array =>
  ExportMetricsServiceRequest.encode({
    resourceMetrics: [
      {
        resource: {
          attributes: Object.entries(attributes).map(([key, stringValue]) => ({
            key,
            value: { stringValue },
          })),
        },
        scopeMetrics: [{ metrics }],
      },
    ],
  }).finish();
const gauge = (name: string, point: opentelemetry.proto.metrics.v1.NumberDataPoint): Metric => ({
  name,
  gauge: { dataPoints: [point] },
});

async function serve(
  take: (call: StatisticsCall) => Promise<void>,
  options: { readonly maxInProgress?: number } = {},
) {
  const server = new Server();
  const logger = recordingLogger();
  attachStatistics(server, { take, logger, ...options });
  const client = new RawClient(await listen(server));
  cleanups.push(
    () => client.close(),
    () => server.forceShutdown(),
  );
  const path = `/${METRICS_SERVICE}/Export`;
  const send = (bytes: Uint8Array): Promise<Buffer | Ended> =>
    client.unary(bytes, { path, authorization: 'Bearer x' });
  return { send, logger };
}

async function reader() {
  const reports: object[] = [];
  const { send, logger } = await serve(async ({ caller, read }) => {
    const { attributes, gauges } = read();
    const { authorization } = caller;
    const plain = (map: ReadonlyMap<string, unknown>) => Object.fromEntries(map);
    reports.push({ authorization, attributes: plain(attributes), gauges: plain(gauges) });
  });
  return { send, reports, logger };
}

it('gauges as Envoys write them, and the attributes of the resource', async () => {
  const { send, reports } = await reader();
  const lds = 2 ** 63 + 4096;
  const answer = await send(
    bytesOf({ 'countersign.node': 'web~1' }, [
      gauge('lds', { asInt: lds }),
      gauge('double', { asDouble: 1.5 }),
      // Zero isn't on the wire.
      gauge('state', {}),
      { name: 'not a gauge', gauge: { dataPoints: [{ asInt: 7 }] } },
    ]),
  );
  // An ExportMetricsServiceResponse without a word: all was taken.
  expect(answer).toEqual(Buffer.alloc(0));
  expect(reports).toEqual([
    {
      authorization: 'Bearer x',
      attributes: { 'countersign.node': 'web~1' },
      gauges: { lds, double: 1.5, state: 0, 'not a gauge': 7 },
    },
  ]);
});

describe('what cannot be read is INVALID_ARGUMENT', () => {
  const many = Array.from({ length: 65 }, (_, n) => gauge(`g${n}`, {}));
  it.each([
    ['no message', Buffer.from([0xff, 0xff, 0xff])],
    ['a number twice', bytesOf({}, [gauge('a', {}), gauge('a', {})])],
    ['an attribute without a name', bytesOf({ '': 'x' }, [])],
    ['too many gauges', bytesOf({}, many)],
    ['several values', bytesOf({}, [{ name: 'a', gauge: { dataPoints: [{}, {}] } }])],
    ['no gauge', bytesOf({}, [{ name: 'a' }])],
    ['less than nothing', bytesOf({}, [gauge('a', { asDouble: -1 })])],
    ['no number', bytesOf({}, [gauge('a', { asDouble: Number.NaN })])],
    ['no end', bytesOf({}, [gauge('a', { asDouble: Number.POSITIVE_INFINITY })])],
  ])('%s', async (_what, bytes) => {
    const { send, reports } = await reader();
    expect(await send(bytes)).toMatchObject({ code: status.INVALID_ARGUMENT });
    expect(reports).toEqual([]);
  });

  it('and any bytes whatever are that, or are taken', async () => {
    const { send } = await reader();
    const random = seededRandom('statistics');
    const good = Buffer.from(bytesOf({ node: 'web~1' }, [gauge('lds', { asInt: 5 })]));
    for (let n = 0; n < 300; n++) {
      const bytes = Buffer.from(good);
      const [at = 0, value = 0, cut = 0] = random.bytes(3);
      bytes[at % bytes.length] = value;
      const answer = await send(bytes.subarray(0, cut % 4 === 0 ? at % bytes.length : undefined));
      const code = Buffer.isBuffer(answer) ? status.OK : answer.code;
      expect([status.OK, status.INVALID_ARGUMENT]).toContain(code);
    }
  });
});

it('more than it may have is refused unread', async () => {
  const { send, reports } = await reader();
  const refused = await send(bytesOf({ large: 'x'.repeat(MAX_REPORT_BYTES) }, []));
  expect(refused).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
  expect(reports).toEqual([]);
});

it('more at once than its limit are refused, and taken again later', async () => {
  const waiting: (() => void)[] = [];
  let started: () => void = () => undefined;
  const isStarted = new Promise<void>((resolve) => {
    started = resolve;
  });
  const take = (): Promise<void> =>
    new Promise((resolve) => {
      waiting.push(resolve);
      started();
    });
  const { send } = await serve(take, { maxInProgress: 1 });
  const first = send(bytesOf({}, []));
  await isStarted;
  expect(await send(bytesOf({}, []))).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
  waiting[0]?.();
  expect(Buffer.isBuffer(await first)).toBe(true);
});

it('a refusal is told and logged; an error of ours is logged in full', async () => {
  const errors = [new MeshError('token-missing', 'no token'), new Error('secret detail')];
  const { send, logger } = await serve(() => Promise.reject(errors.shift()));
  expect(await send(bytesOf({}, []))).toEqual({
    ...{ code: status.UNAUTHENTICATED, details: 'no token' },
  });
  expect(await send(bytesOf({}, []))).toEqual({
    ...{ code: status.INTERNAL, details: 'internal error' },
  });
  expect(logger.lines.map(({ message }) => message)).toEqual([
    'statistics refused',
    'statistics could not be taken',
  ]);
});
