// Whose statistics are taken: who the call proves to be, within that who it says, and no more often
// than a sidecar sends them.
import { expect, it } from 'vitest';
import { MeshError } from '../../../src/base/index.js';
import { Authenticator, Refusals } from '../../../src/server/join/index.js';
import { NO_ISSUERS } from '../../../src/server/join/proof.js';
import { Intake, Statistics } from '../../../src/server/telemetry/index.js';
import { REPORTS_RATE } from '../../../src/server/telemetry/intake.js';
import { PROVED_FOR_MS } from '../../../src/server/telemetry/known-reporters.js';
import { toVersionHash } from '../../../src/server/telemetry/sample.js';
import { createTokenKeys } from '../../../src/tokens/index.js';
import { STATISTICS_ATTRIBUTES as NAMES } from '../../../src/translate/statistics/index.js';
import { TYPE_URLS } from '../../../src/xds/index.js';
import { fakeSidecar } from '../../fakes/fake-stream.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { seededRandom } from '../../fakes/seeded-random.js';
import { meshOf } from '../../policy/helpers.js';
import { MemoryDataDir } from '../../x509/tools.js';

const MESH = meshOf('{ trustDomain: shop.example, services: { web: {}, ledger: {} } }');
const HOUR_MS = 3_600_000;
const audience = 'countersign-xds' as const;

interface Given {
  readonly token?: string;
  readonly node?: string;
  readonly address?: string;
  readonly from?: string;
  readonly port?: number;
  readonly gauges?: Readonly<Record<string, number>>;
  readonly isJunk?: boolean;
}

async function setUp() {
  const clock = new ManualClock();
  const tokens = await createTokenKeys({
    ...{ dataDir: new MemoryDataDir(), clock, random: seededRandom('statistics') },
  });
  const tokenOf = (subject: string, instance?: string): string => {
    const bound = instance === undefined ? {} : { instance };
    return tokens.sign({ audience, subject, ttlMs: HOUR_MS, ...bound }).token;
  };
  const refusals = new Refusals(clock);
  const shutOut = new Set<string>();
  const authenticator = new Authenticator({
    ...{ clock, tokens, refusals, issuers: NO_ISSUERS, mesh: () => MESH },
    ownerOf: async () => undefined,
    assertAdmitted: ({ service }) => {
      if (shutOut.has(service)) throw new MeshError('revoked', 'it is shut out');
    },
  });
  const statistics = new Statistics({ clock, onChange: () => undefined });
  const intake = new Intake({ clock, statistics, authenticator, refusals });
  const join = (service: string, instance: string, address: string) => {
    const auth = fakeSidecar(service, address, { node: `${service}~${instance}` });
    const standing = { state: 'synced', version: 'v1' };
    const stream = { auth, state: () => [{ typeUrl: TYPE_URLS.listener, standing }] } as never;
    statistics.onConnect(stream);
    return () => statistics.viewOf(stream).verdict;
  };
  const send = (given: Given): Promise<string> => {
    const { token = '', node, address, from = '10.0.0.1', port = 5_000, isJunk = false } = given;
    const attributes = new Map<string, string>();
    if (node !== undefined) attributes.set(NAMES.node, node);
    if (address !== undefined) attributes.set(NAMES.address, address);
    const gauges = new Map(Object.entries(given.gauges ?? { lds: toVersionHash('v1') }));
    const authorization = token === '' ? undefined : `Bearer ${token}`;
    const caller = { address: from, port, authorization, certificate: undefined };
    const read = () => {
      if (isJunk) throw new MeshError('request-invalid', 'junk');
      return { attributes, gauges };
    };
    return intake.take({ caller, read }).then(
      () => 'taken',
      (error: MeshError) => error.code,
    );
  };
  const counted = () => Object.fromEntries(refusals.counts());
  return { clock, tokens, tokenOf, refusals, shutOut, join, send, counted };
}

it('a sidecar reports for itself, by the name or the address that it has', async () => {
  const { tokenOf, join, send } = await setUp();
  const [named, unnamed] = [join('web', 'one', '10.0.0.1'), join('web', '10.0.0.2', '10.0.0.2')];
  const token = tokenOf('web');
  expect(await send({ token, node: 'web~one' })).toBe('taken');
  expect([named(), unnamed()]).toEqual(['in-force', 'unknown']);
  expect(await send({ token, node: 'web', from: '10.0.0.2' })).toBe('taken');
  expect(unnamed()).toBe('in-force');
  // Of an Envoy that was given another address than it is seen at.
  const away = join('web', 'two', '10.0.0.3');
  expect(await send({ token, node: 'web~two', address: '10.0.0.3' })).toBe('taken');
  expect(away()).toBe('in-force');
});

it('it cannot speak for another service, nor for more than it proved', async () => {
  const { tokenOf, join, send } = await setUp();
  const ledger = join('ledger', 'one', '10.0.0.1');
  const web = join('web', 'one', '10.0.0.1');
  const token = tokenOf('web');
  expect(await send({ token, node: 'ledger~one' })).toBe('token-wrong-service');
  expect(await send({ token: tokenOf('web', 'two'), node: 'web~one' })).toBe('token-wrong-service');
  expect(await send({ node: 'web~one' })).toBe('token-missing');
  expect(await send({ token: 'x.y.z', node: 'web~one' })).toBe('token-invalid');
  // One that names an instance which isn't there says nothing of anybody.
  expect(await send({ token, node: 'web~nobody' })).toBe('taken');
  expect([ledger(), web()]).toEqual(['unknown', 'unknown']);
});

it('who is shut out is heard no more', async () => {
  const { tokenOf, shutOut, join, send } = await setUp();
  const web = join('web', 'one', '10.0.0.1');
  shutOut.add('web');
  expect(await send({ token: tokenOf('web'), node: 'web~one' })).toBe('revoked');
  expect(web()).toBe('unknown');
});

it('what was proved on a connection holds there, of that credential, for a while', async () => {
  const { clock, tokenOf, join, send, shutOut } = await setUp();
  join('web', 'one', '10.0.0.1');
  const own = { token: tokenOf('web'), node: 'web~one' };
  expect(await send(own)).toBe('taken');
  shutOut.add('web');
  // Its stream is ended when it is shut out, and with it what it says is lost.
  expect(await send(own)).toBe('taken');
  expect(await send({ ...own, port: 6_000 })).toBe('revoked');
  expect(await send({ ...own, token: tokenOf('web') })).toBe('revoked');
  expect(await send({ node: 'web~one' })).toBe('token-missing');
  expect(await send({ ...own, node: 'web~two' })).toBe('revoked');
  expect(await send({ ...own, node: 'ledger~one' })).toBe('token-wrong-service');
  clock.advance(PROVED_FOR_MS);
  expect(await send(own)).toBe('revoked');
});

it('one that lies harms itself alone: it is never in force', async () => {
  const { tokenOf, join, send } = await setUp();
  const [liar, honest] = [join('web', 'one', '10.0.0.1'), join('web', 'two', '10.0.0.2')];
  const token = tokenOf('web');
  await send({ token, node: 'web~one', gauges: { lds: 1, warming: 7 } });
  await send({ token, node: 'web~two', from: '10.0.0.2' });
  expect([liar(), honest()]).toEqual(['warming', 'in-force']);
});

it('what cannot be read is refused, and counted against who sent it', async () => {
  const { tokens, refusals, send, counted } = await setUp();
  const { token, id } = tokens.sign({ audience, subject: 'web', ttlMs: HOUR_MS });
  expect(await send({ token, isJunk: true })).toBe('request-invalid');
  expect(refusals.list()).toMatchObject([{ code: 'request-invalid', party: { tokenId: id } }]);
  // A stranger's is a stranger's.
  expect(await send({ isJunk: true })).toBe('token-missing');
  expect(counted()).toEqual({ 'request-invalid': 1, 'token-missing': 1 });
});

it('a flood of one connection is refused unread; another sidecar notices nothing', async () => {
  const { clock, tokenOf, join, send, counted } = await setUp();
  const [flooder, other] = [join('web', 'one', '10.0.0.1'), join('web', 'two', '10.0.0.2')];
  const token = tokenOf('web');
  const flood = { token: 'bad', node: 'web~one' };
  const codes = await Promise.all(Array.from({ length: 100 }, () => send(flood)));
  expect(codes.filter((code) => code === 'resource-limit')).toHaveLength(100 - REPORTS_RATE.burst);
  expect(counted()).toEqual({ 'resource-limit': 100 - REPORTS_RATE.burst });
  expect(await send({ token, node: 'web~two', from: '10.0.0.2' })).toBe('taken');
  expect([flooder(), other()]).toEqual(['unknown', 'in-force']);
  clock.advance(1_000);
  expect(await send({ token, node: 'web~one' })).toBe('taken');
});

it('a flood by many connections of one sidecar is refused, and counted against it', async () => {
  const { tokenOf, join, send, refusals } = await setUp();
  join('web', 'one', '10.0.0.1');
  const token = tokenOf('web');
  const codes = await Promise.all(
    Array.from({ length: 30 }, (_, port) => send({ token, node: 'web~one', port })),
  );
  expect(codes.filter((code) => code === 'taken')).toHaveLength(REPORTS_RATE.burst);
  expect(refusals.list()).toMatchObject([{ code: 'resource-limit', party: { service: 'web' } }]);
});
