// What sidecars report of themselves: whose it is, when what they took is in force, and what
// drains. Held against Envoy's own word on its admin port.
import { beforeAll, expect, test } from 'vitest';
import { toProtoJson } from '../../src/cli/proto-json.js';
import type { EnvoyProcess } from '../../src/demo/envoy-process.js';
import { envoy as proto } from '../../src/gen/bootstrap.js';
import type { ProxyStatus } from '../../src/server/status/index.js';
import { toBootstrap } from '../../src/translate/bootstrap/index.js';
import {
  createForeignCa,
  describeEnvoy,
  eventually,
  type Harness,
  requireEnvoy,
  useHarness,
} from '../harness/index.js';
import {
  type SidecarOptions,
  startMesh,
  type TestMesh,
  type TestService,
} from '../harness/start-mesh.js';
import { type Place, StatisticsServer } from './statistics-server.js';

const OLD = await requireEnvoy({ version: '1.36.4' });
const TCP = 6000;
const HTTP = 8080;
const DRAIN_S = 3;

const IN_FORCE = { reports: true, inForce: 'in-force' } as const;
const BY_ACKNOWLEDGEMENT = { reports: false, inForce: 'unknown', draining: null } as const;

await describeEnvoy('statistics of sidecars', {}, ({ binary }) => {
  const harness = useHarness('statistics');
  let reporting: Reporting;

  beforeAll(async () => {
    reporting = await Reporting.start(harness, binary);
  }, 60_000);

  test('they come with the proof of the sidecar, and say that all is in force', async () => {
    const { mesh } = reporting;
    const shown = () => reporting.shows('ledger~new', IN_FORCE);
    await eventually(shown);
    expect((await reporting.proxyOf('ledger~new')).types.lds?.version).not.toBe('');
    expect(mesh.log.filter(({ message }) => message.includes('statistics'))).toEqual([]);
    // A new server has nothing of what an earlier one was told.
    await mesh.stop();
    await mesh.start();
    await eventually(shown);
  });

  test('what drains is shown, until the drain time is over', async () => {
    const { mesh, ledger } = reporting;
    const draining = async () => (await reporting.proxyOf('ledger~new')).statistics.draining;
    await mesh.edit(reporting.toText('strict'));
    const shown = await eventually(async () => (await draining()) ?? false);
    expect(shown.chains).toBe(
      await ledger.admin.stat('listener_manager.total_filter_chains_draining'),
    );
    expect(shown.chains).toBeGreaterThan(0);
    await eventually(async () => (await draining()) === null, {
      what: 'nothing to drain',
      timeoutMs: (DRAIN_S + 10) * 1000,
    });
    await reporting.shows('ledger~new', IN_FORCE);
    await mesh.edit(reporting.toText('permissive'));
  });

  test.each([
    { service: 'lonely', sotw: false },
    { service: 'lonely', sotw: true },
    { service: 'web', sotw: true },
  ])('in the state of the world, or without a listener: %o', async ({ service, sotw }) => {
    const node = await reporting.join(service, `sotw-${sotw}`, { sotw });
    await eventually(() => reporting.shows(node, IN_FORCE));
    expect((await reporting.proxyOf(node)).state).toBe('synced');
  });

  const olds = [
    { of: 'without the sink', instance: 'quiet', given: {} },
    ...(OLD.found ? [{ of: 'before 1.37', instance: 'old', given: OLD.envoy }] : []),
  ];
  test.each(olds)('a sidecar $of works, by acknowledgement', async ({ instance, given }) => {
    const node = await reporting.join('web', instance, { ...given, reportsStatistics: false });
    expect(await reporting.mesh.wait()).toMatchObject({ inForce: true });
    await reporting.shows(node, BY_ACKNOWLEDGEMENT);
    expect((await reporting.proxyOf(node)).state).toBe('synced');
  });
});

/** A mesh of one callee that reports. */
class Reporting {
  private constructor(
    private readonly harness: Harness,
    readonly mesh: TestMesh,
    readonly ledger: EnvoyProcess,
  ) {}

  static async start(harness: Harness, binary: string): Promise<Reporting> {
    const ledger = [
      { port: TCP, kind: 'tcp' as const },
      { port: HTTP, kind: 'http' as const },
    ];
    const mesh = await startMesh(harness, {
      binary,
      services: { web: [], lonely: [], ledger },
      mesh: (service) => toMesh(service, 'permissive'),
    });
    const sidecar = await mesh.sidecar('ledger', { instance: 'new', drainTimeS: DRAIN_S });
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    return new Reporting(harness, mesh, sidecar);
  }

  /** @param mtls Of the TCP port. */
  toText(mtls: string): string {
    return toMesh(this.mesh.service, mtls);
  }

  /** One more sidecar; its node. */
  async join(service: string, instance: string, options: SidecarOptions): Promise<string> {
    const pool = await this.harness.addresses();
    const place = { address: pool.address(), outbound: pool.block() };
    await this.mesh.sidecar(service, { instance, ...place, ...options });
    return `${service}~${instance}`;
  }

  async proxyOf(node: string): Promise<ProxyStatus> {
    const found = (await this.mesh.status()).proxies.find((one) => one.node === node);
    if (found === undefined) throw new Error(`${node} is not connected`);
    return found;
  }

  async shows(node: string, statistics: Partial<ProxyStatus['statistics']>): Promise<void> {
    expect((await this.proxyOf(node)).statistics).toMatchObject(statistics);
  }
}

/** `lonely` calls nobody, and nobody calls it: it gets no listener. */
function toMesh(service: (name: string) => TestService, mtls: string): string {
  const target = (port: number): string => `target: "${service('ledger').target(port)}"`;
  return `
trustDomain: test.example
services:
  web: {}
  lonely: {}
  ledger:
    allow: [ { from: [web] } ]
    ports:
      ${TCP}: { protocol: tcp, ${target(TCP)}, mtls: ${mtls} }
      ${HTTP}: { protocol: http, ${target(HTTP)} }
`;
}

await describeEnvoy('a listener that was accepted and waits', {}, ({ binary }) => {
  const harness = useHarness('warming');

  test('is not in force until its secret is there', async () => {
    const pool = await harness.addresses();
    const address = pool.address();
    const listen = { address, port: await pool.port(address) };
    const server = new StatisticsServer(listen);
    harness.defer('server', () => server.stop());
    const xds = { address, port: await server.start(address) };
    const admin = { address, port: await pool.port(address) };
    const envoy = await harness.envoy({
      ...{ binary, name: 'envoy', bootstrap: toPlainBootstrap(xds, admin), drainTimeS: DRAIN_S },
    });
    await envoy.waitReady();
    const verdictIs = (verdict: string) =>
      eventually(() => expect(server.view).toMatchObject({ reports: true, verdict }));
    await verdictIs('in-force');
    const before = server.acks;
    server.want({ isSecured: true });
    await eventually(() => server.acks > before);
    await verdictIs('warming');
    expect(await envoy.admin.stat('listener_manager.total_listeners_warming')).toBe(1);
    server.want({ isSecured: true, pair: createForeignCa().issue() });
    await verdictIs('in-force');
    expect(await envoy.admin.stat('listener_manager.total_listeners_warming')).toBe(0);
  });
});

/** The sink as our bootstraps have it, towards a server without TLS. */
function toPlainBootstrap(xds: Place, admin: Place): object {
  const message = toBootstrap({
    ...{ service: 'web', xds: { host: xds.address, port: xds.port } },
    ...{ xdsAnchorPem: '', xdsServerName: 'xds' },
  });
  const bytes = proto.config.bootstrap.v3.Bootstrap.encode(message).finish();
  const whole = toProtoJson('envoy.config.bootstrap.v3.Bootstrap', bytes) as {
    static_resources: { clusters: { transport_socket?: object }[] };
  };
  for (const cluster of whole.static_resources.clusters) delete cluster.transport_socket;
  const place = { address: admin.address, port_value: admin.port };
  return { ...whole, admin: { address: { socket_address: place } } };
}
