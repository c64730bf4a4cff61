import { beforeAll, describe, expect, test } from 'vitest';
import type { EnvoyProcess } from '../../src/demo/envoy-process.js';
import type { HttpAnswer } from '../../src/demo/http-client.js';
import { httpCall } from '../../src/demo/http-client.js';
import type { TlsOptions } from '../../src/demo/tls-client.js';
import {
  createForeignCa,
  describeEnvoy,
  outcome,
  tcpExchange,
  useHarness,
} from '../harness/index.js';
import { startMesh, type TestMesh, type TestService } from '../harness/start-mesh.js';

// MODEL.md, "What a connection gets", observed on real Envoys. `open` has no rules; `guarded` lets
// `web` in.
const HTTP = { strict: 8081, permissive: 8082, disable: 8083 } as const;
const TCP = { strict: 6001, permissive: 6002, disable: 6003 } as const;
const MESH_PORT = 15443;
const MODES = ['strict', 'permissive', 'disable'] as const;
const ports = [
  ...MODES.map((mode) => ({ port: HTTP[mode], kind: 'http' as const, mode })),
  ...MODES.map((mode) => ({ port: TCP[mode], kind: 'tcp' as const, mode })),
];

function toPorts(service: TestService): string {
  return ports
    .map(({ port, kind, mode }) => {
      const app = service.apps.get(port);
      const target = `"${app?.address}:${app?.port}"`;
      return `      ${port}: { protocol: ${kind}, mtls: ${mode}, target: ${target} }`;
    })
    .join('\n');
}

const foreign = createForeignCa();
const spiffe = (name: string): string => `spiffe://test.example/ns/default/sa/${name}`;

for (const { version, sotw } of [
  { version: '1.40.0', sotw: false },
  { version: '1.36.4', sotw: true },
]) {
  const name = `what a connection gets, Envoy ${version}, ${sotw ? 'SotW' : 'delta'}`;
  await describeEnvoy(name, { version }, ({ binary }) => showModes({ binary, sotw }));
}

function showModes({ binary, sotw }: { binary: string; sotw: boolean }): void {
  const harness = useHarness(`modes-${sotw ? 'sotw' : 'delta'}`);
  let mesh: TestMesh;
  let openSidecar: EnvoyProcess;

  beforeAll(async () => {
    mesh = await startMesh(harness, {
      binary,
      services: { web: [], reports: [], open: ports, guarded: ports },
      mesh: (service) => `
trustDomain: test.example
services:
  web: {}
  reports: {}
  open:
    ports:
${toPorts(service('open'))}
  guarded:
    allow: [ { from: [web] } ]
    ports:
${toPorts(service('guarded'))}
`,
    });
    openSidecar = await mesh.sidecar('open', { sotw });
    await mesh.sidecar('guarded', { sotw });
    await mesh.sidecar('web', { sotw });
    await mesh.sidecar('reports', { sotw });
    expect(await mesh.wait()).toMatchObject({ inForce: true });
  }, 90_000);

  const throughSidecar = async (caller: string, callee: string, port: number) =>
    httpCall({ address: await mesh.outboundAddress(caller, callee), port });
  const direct = (callee: string, port: number, tls?: TlsOptions): Promise<HttpAnswer> => {
    const { address } = mesh.service(callee);
    return httpCall({ address, port, ...(tls === undefined ? {} : { tls }) });
  };
  const tcpDirect = (callee: string, port: number, tls?: TlsOptions) => {
    const { address } = mesh.service(callee);
    const target = {
      address,
      port,
      send: 'hello',
      until: (text: string) => text.includes('hello'),
    };
    return tcpExchange(tls === undefined ? target : { ...target, tls });
  };
  const tcpOutcome = async (answer: Promise<{ received: string }>): Promise<string> =>
    answer.then(
      ({ received }) => received,
      () => 'refused',
    );
  const xfcc = ({ body }: HttpAnswer): string | undefined =>
    (JSON.parse(body) as { headers: Record<string, string> }).headers['x-forwarded-client-cert'];
  const foreignTls = (): TlsOptions => ({ ...foreign.issue({ uri: spiffe('web') }) });
  const identity = async (name: string): Promise<TlsOptions> => {
    const { key, cert } = await mesh.certificate(name);
    return { key, cert };
  };

  describe('http', () => {
    test.each(MODES)('%s: a mesh caller gets mTLS, in DISABLE plain text', async (mode) => {
      const answer = await throughSidecar('web', 'open', HTTP[mode]);
      expect(answer.status).toBe(200);
      if (mode === 'disable') expect(xfcc(answer)).toBeUndefined();
      else expect(xfcc(answer)).toContain(`By=${spiffe('open')};`);
      if (mode !== 'disable') expect(xfcc(answer)).toContain(`URI=${spiffe('web')}`);
    });

    test.each([
      ['strict', 'refused'],
      ['permissive', '200'],
      ['disable', '200'],
    ] as const)('%s: a plaintext caller is %s', async (mode, wanted) => {
      expect(await outcome(direct('open', HTTP[mode]))).toBe(wanted);
    });

    test('a plaintext caller has no identity, and a forged one is removed', async () => {
      const { address } = mesh.service('open');
      const headers = { 'x-forwarded-client-cert': `URI=${spiffe('web')}` };
      const answer = await httpCall({ address, port: HTTP.permissive, headers });
      expect(answer.status).toBe(200);
      expect(xfcc(answer)).toBeUndefined();
    });

    test.each(MODES)('%s: a TLS caller with a foreign certificate is refused', async (mode) => {
      expect(await outcome(direct('open', HTTP[mode], foreignTls()))).toBe('refused');
    });

    test.each([
      ['strict', 'refused'],
      ['permissive', '200'],
    ] as const)('%s: a TLS caller without a certificate is %s', async (mode, wanted) => {
      expect(await outcome(direct('open', HTTP[mode], {}))).toBe(wanted);
    });

    test.each(['strict', 'permissive'] as const)(
      '%s: a TLS caller with a mesh certificate needs no sidecar, ALPN or SNI',
      async (mode) => {
        const { ca } = await mesh.certificate('web');
        const tls = { ...(await identity('web')), ca, verifyName: 'open.default' };
        const answer = await direct('open', HTTP[mode], tls);
        expect(answer.status).toBe(200);
        expect(xfcc(answer)).toContain(`URI=${spiffe('web')}`);
      },
    );

    test.each(['strict', 'permissive'] as const)(
      '%s: a mesh caller without permission is refused, by its own sidecar and by the server',
      async (mode) => {
        expect(await outcome(throughSidecar('web', 'guarded', HTTP[mode]))).toBe('200');
        expect(await outcome(throughSidecar('reports', 'guarded', HTTP[mode]))).toBe('refused');
        const straight = direct('guarded', HTTP[mode], await identity('reports'));
        expect(await outcome(straight)).toBe('403');
      },
    );

    test('rules with identities match no plaintext caller', async () => {
      expect(await outcome(direct('guarded', HTTP.permissive))).toBe('403');
      expect(await outcome(direct('guarded', HTTP.disable))).toBe('403');
    });
  });

  describe('tcp', () => {
    const through = async (caller: string, callee: string, port: number) =>
      tcpExchange({
        address: await mesh.outboundAddress(caller, callee),
        port,
        send: 'hello',
        until: (text) => text.includes('hello'),
      });

    test.each(MODES)('%s: a mesh caller is served', async (mode) => {
      const handshakes = (): Promise<number> =>
        openSidecar.admin.stat('listener.mesh.ssl.handshake');
      const before = await handshakes();
      expect(await tcpOutcome(through('web', 'open', TCP[mode]))).toBe('open: hello');
      expect((await handshakes()) - before).toBe(mode === 'disable' ? 0 : 1);
    });

    test.each([
      ['strict', 'refused'],
      ['permissive', 'open: hello'],
      ['disable', 'open: hello'],
    ] as const)('%s: a plaintext caller gets "%s"', async (mode, wanted) => {
      expect(await tcpOutcome(tcpDirect('open', TCP[mode]))).toBe(wanted);
    });

    test('strict: a TLS caller with a foreign certificate is refused', async () => {
      expect(await tcpOutcome(tcpDirect('open', TCP.strict, foreignTls()))).toBe('refused');
    });

    test.each(['permissive', 'disable'] as const)(
      "%s: TLS is the application's own: its bytes pass untouched",
      async (mode) => {
        const { address } = mesh.service('open');
        // The first bytes of a ClientHello, as an application that speaks TLS itself would get
        // them.
        const hello = '\u0016\u0003\u0001';
        const answer = tcpExchange({
          address,
          port: TCP[mode],
          send: hello,
          until: (text) => text.includes(hello),
        });
        expect(await tcpOutcome(answer)).toBe(`open: ${hello}`);
      },
    );

    test('strict: a TLS caller with a mesh certificate needs no sidecar', async () => {
      const answer = tcpDirect('open', TCP.strict, await identity('web'));
      expect(await tcpOutcome(answer)).toBe('open: hello');
    });

    test.each(['strict', 'permissive'] as const)(
      '%s: a mesh caller without permission is refused',
      async (mode) => {
        expect(await tcpOutcome(through('web', 'guarded', TCP[mode]))).toBe('guarded: hello');
        expect(await tcpOutcome(through('reports', 'guarded', TCP[mode]))).toBe('refused');
      },
    );

    test('strict: a certificate without permission is refused by the server itself', async () => {
      const answer = tcpDirect('guarded', TCP.strict, await identity('reports'));
      expect(await tcpOutcome(answer)).toBe('refused');
      expect(await tcpOutcome(tcpDirect('guarded', TCP.strict, await identity('web')))).toBe(
        'guarded: hello',
      );
    });

    test.each(['permissive', 'disable'] as const)(
      '%s: rules with identities match no plaintext caller',
      async (mode) => {
        expect(await tcpOutcome(tcpDirect('guarded', TCP[mode]))).toBe('refused');
      },
    );
  });

  describe('the mesh port', () => {
    const sni = `${HTTP.permissive}.open.default.mesh`;

    test.each([
      ['plain text', undefined],
      ['a foreign certificate', 'foreign'],
      ['no certificate', 'none'],
    ] as const)('refuses %s', async (_name, kind) => {
      const tls = { none: { servername: sni }, foreign: { ...foreignTls(), servername: sni } };
      const call = direct('open', MESH_PORT, kind === undefined ? undefined : tls[kind]);
      expect(await outcome(call)).toBe('refused');
    });

    test('serves a mesh identity by SNI, and refuses another name', async () => {
      const mine = await identity('web');
      const named = direct('open', MESH_PORT, { ...mine, servername: sni });
      expect(await outcome(named)).toBe('200');
      const other = direct('open', MESH_PORT, { ...mine, servername: '1.open.default.mesh' });
      expect(await outcome(other)).toBe('refused');
    });

    test('lets nobody in by it to a port that has no TLS', async () => {
      const servername = `${HTTP.disable}.open.default.mesh`;
      const call = direct('open', MESH_PORT, { ...(await identity('web')), servername });
      expect(await outcome(call)).toBe('403');
    });

    test('keeps the rules of each port', async () => {
      const servername = `${HTTP.strict}.guarded.default.mesh`;
      const call = direct('guarded', MESH_PORT, { ...(await identity('reports')), servername });
      expect(await outcome(call)).toBe('403');
    });
  });
}
