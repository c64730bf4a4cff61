import { expect, test } from 'vitest';
import { answer, OK, request, type Way } from './case.js';
import type { Http1Walk } from './http1-walk.js';
import { call, type Http2Walk } from './http2-walk.js';

export const FORGED = 'URI=spiffe://test.example/ns/default/sa/forged';
export const SPELLINGS = [
  'x-forwarded-client-cert',
  'x_forwarded_client_cert',
  'X-Forwarded_Client-Cert',
  'x_forwarded-client_cert',
  'x-forwarded-client_cert',
  'X_FORWARDED_CLIENT-CERT',
  'x_forwarded-client-cert',
  'x-forwarded_client_cert',
];

/** Headers of which docs/limits.md says what sidecars do with them. */
export function headerTests(way: Way, http1: () => Http1Walk): void {
  test('identity-headers: who called is said by the sidecar alone, in any spelling', async () => {
    const headers = await http1().arrived(
      way,
      SPELLINGS.map((name) => `${name}: ${FORGED}`),
    );
    const identities = headers.filter((line) => /^x.forwarded.client.cert:/i.test(line));
    expect(identities).toHaveLength(way === 'plain' ? 0 : 1);
    for (const line of identities) expect(line).toContain('/sa/web');
    expect(headers.join()).not.toContain('forged');
    expect(headers).toContain(`x-forwarded-proto: ${way === 'cert' ? 'https' : 'http'}`);
  });

  test('header-case: names arrive in lower case where nothing else is asked', async () => {
    expect(await http1().arrived(way, ['X-MiXeD: Value'])).toContain('x-mixed: Value');
  });
}

const BIG = `x-big: ${'v'.repeat(70_000)}`;

/** One field of HTTP/1 that is more than HTTP/2 carries between the sidecars. */
export function largeFieldTests(way: Way, http1: () => Http1Walk): void {
  test('a request with a field of 70 kB fails no other call', async () => {
    const send = [request('GET /big', [BIG])];
    const answers = [[{ on: 'request' as const }, { send: OK }]];
    const [, held, ...large] = await http1().beside(way, { send, answers });
    expect({ held, large }).toEqual({ held: '200', large: ['200'] });
  });

  test('an answer with a field of 70 kB fails no other call', async () => {
    const send = [request('GET /big')];
    const answers = [[{ on: 'request' as const }, { send: answer('200 OK', [BIG]) }]];
    const [, held, ...large] = await http1().beside(way, { send, answers });
    expect({ held, large }).toEqual({ held: '200', large: ['200'] });
  });
}

const LARGE: readonly (readonly [what: string, headers: Readonly<Record<string, string>>])[] = [
  ['one field of 70 kB', { 'x-big': 'v'.repeat(70_000) }],
  [
    '2 MB',
    Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`x-big-${i}`, 'v'.repeat(50_000)])),
  ],
];

/** What is too large fails by itself. */
export function channelTests(way: Way, http2: () => Http2Walk): void {
  test.each(LARGE)(
    'a call with metadata of %s fails no other call of its channel',
    async (_what, headers) => {
      const session = await http2().open(way);
      const app = http2().app(way);
      const held = app.hold();
      const bystander = call(session, { headers: { ':path': '/bystander' } });
      const answer = await held;
      app.play();
      const large = await call(session, { headers });
      answer();
      expect(await bystander).toMatchObject({ headers: { ':status': 200 }, body: 'ok' });
      // Above the limit: a refusal of its own, by 431 or by an end of the stream.
      expect(JSON.stringify(large)).not.toContain('timeout');
      const after = await call(session, { headers: {} });
      expect(after).toMatchObject({ headers: { ':status': 200 } });
    },
  );
}
