import { expect, test } from 'vitest';
import { bareAnswer, chunked, DATE, request, type Way } from './case.js';
import { FORGED, SPELLINGS } from './header-tests.js';
import type { Http1Walk } from './http1-walk.js';
import { call, type Http2Walk } from './http2-walk.js';

// What only sidecars may say, and what they leave to whoever says it (decision 035).

/** By which a request, or an answer, steers an Envoy with its default settings. */
const STEERING = [
  'x-envoy-retry-on: 5xx',
  'x-envoy-max-retries: 3',
  'x-envoy-retry-grpc-on: unavailable',
  'x-envoy-upstream-rq-per-try-timeout-ms: 1',
  'x-envoy-hedge-on-per-try-timeout: true',
  'x-envoy-upstream-alt-stat-name: steered',
  'x-envoy-decorator-operation: steered',
  'x-envoy-expected-rq-timeout-ms: 1',
  'x-envoy-immediate-health-check-fail: true',
  'x-envoy-ratelimited: true',
  'x-envoy-internal: true',
];

export function ownWordsTests(way: Way, http1: () => Http1Walk): void {
  test('trailers-of-ours: no trailer says who called, to application or client', async () => {
    const forged = SPELLINGS.map((name) => `${name}: ${FORGED}`);
    const trailers = [...forged, ...STEERING, 'x-countersign-unreached: true', 'x-sum: 1'];
    const { requests, answers } = await http1().exchange(
      way,
      `${request('POST /', ['transfer-encoding: chunked'])}${chunked(['abc'], trailers)}`,
      bareAnswer('200 OK', [DATE, 'transfer-encoding: chunked'], chunked(['ab'], trailers)),
    );
    const got = [requests[0], answers[0]].map((one) => [one?.body, one?.trailers]);
    expect(got).toEqual([
      ['abc', ['x-countersign-unreached: true', 'x-sum: 1']],
      ['ab', ['x-sum: 1']],
    ]);
  });

  test('x-envoy: what Envoys say to one another is left out, and steers no sidecar', async () => {
    const words = [
      ...STEERING,
      'x-forwarded-for: 10.0.0.1',
      'x-envoy-external-address: 10.9.9.9',
      'X_Envoy-Original-Path: /x',
    ];
    const given = bareAnswer('503 Busy', [DATE, 'content-length: 0', ...words]);
    const { requests, answers } = await http1().exchange(way, request('GET /', words), given);
    // Not tried again, and not ended after a millisecond.
    expect(requests).toHaveLength(1);
    expect(answers.map(({ start }) => start.split(' ')[1])).toEqual(['503']);
    const arrived = [...(requests[0]?.headers ?? []), ...(answers[0]?.headers ?? [])];
    expect(arrived.filter((line) => /^x.envoy/i.test(line))).toEqual([]);
  });

  test('x-forwarded: what others say of a request arrives as it was sent', async () => {
    const said = [
      'x-forwarded-for: 10.9.9.9, 192.0.2.1',
      'x-forwarded-host: shop.example',
      'x-forwarded-port: 443',
      'x-forwarded-proto: https',
      'forwarded: for=192.0.2.1;proto=https',
      'x-real-ip: 192.0.2.1',
      'x-request-id: 7',
    ];
    expect(await http1().arrived(way, said)).toEqual(expect.arrayContaining(said));
  });
}

export function ownWordsOfCallsTests(way: Way, http2: () => Http2Walk): void {
  test('no trailer of a call says who called, to the application or to the client', async () => {
    const session = await http2().open(way);
    const app = http2().app(way);
    const ours = Object.fromEntries([
      ...SPELLINGS.map((name) => [name.toLowerCase(), FORGED]),
      ...STEERING.map((line) => line.split(': ')),
      ['x-countersign-unreached', 'true'],
    ]) as Record<string, string>;
    app.play((stream) => {
      stream.on('wantTrailers', () => stream.sendTrailers({ ...ours, 'x-own': '1' }));
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.end('ok');
    });
    const sent = {
      headers: { ':method': 'POST' },
      body: 'hi',
      trailers: { ...ours, 'x-sum': '1' },
    };
    const answered = await call(session, sent);
    const got = [app.request(), answered].map((one) => {
      const { body, trailers } = one as { body: string; trailers: object };
      return [body, trailers];
    });
    expect(got).toEqual([
      ['hi', { 'x-countersign-unreached': 'true', 'x-sum': '1' }],
      ['ok', { 'x-own': '1' }],
    ]);
  });

  test('a caller sets no time after which a sidecar answers in its place', async () => {
    const session = await http2().open(way);
    const app = http2().app(way);
    const held = app.hold();
    // From an internal address, as Envoy calls it, which it would heed.
    const headers = { 'x-envoy-upstream-rq-timeout-ms': '1', 'x-forwarded-for': '127.0.0.1' };
    const answer = call(session, { headers });
    const go = await held;
    app.play();
    // Longer than that millisecond.
    await call(session, { headers: {} });
    go();
    expect(await answer).toMatchObject({ headers: { ':status': 200 }, body: 'ok' });
  });
}
