// What sidecars are asked to check and report, as an Envoy reads it.
import { describe, expect, it } from 'vitest';
import { SECOND_MS } from '../../src/base/index.js';
import { envoy } from '../../src/gen/api.js';
import { toBootstrap } from '../../src/translate/bootstrap/index.js';
import { toHealthSpecifier } from '../../src/translate/index.js';
import { meshOf, serviceOf } from '../policy/helpers.js';

const MESH = meshOf(`trustDomain: shop.example
services:
  web: {}
  app:
    ports:
      8080: { protocol: http, health: { path: /healthz } }
      8081: { protocol: http2, target: "10.0.0.9:9000", health: { path: "/up?deep" } }
      8082: http
      8083: { protocol: http, target: "app:80", health: { path: /healthz } }`);
const { HealthCheckSpecifier } = envoy.service.health.v3;
const specifierOf = (name: string | undefined, atMs = 0) => {
  const service = name === undefined ? undefined : serviceOf(MESH, name);
  return HealthCheckSpecifier.decode(toHealthSpecifier(service, atMs));
};
const intervalOf = (atMs: number): number => {
  const { seconds = 0, nanos = 0 } = specifierOf('app', atMs).interval ?? {};
  return Number(seconds) * SECOND_MS + nanos / 1e6;
};

describe('what a sidecar is asked to check of its application', () => {
  it('is each port with health, by the check that decides whether calls are passed on', () => {
    const [first, second, ...more] = specifierOf('app').clusterHealthChecks ?? [];
    expect(more).toEqual([]);
    expect(first).toMatchObject({
      clusterName: 'health:8080',
      healthChecks: [{ httpHealthCheck: { host: 'app', path: '/healthz' } }],
      localityEndpoints: [
        {
          endpoints: [{ address: { socketAddress: { address: '127.0.0.1', portValue: 8080 } } }],
        },
      ],
      upstreamBindConfig: { sourceAddress: { address: '127.0.0.6' } },
    });
    expect(second).toMatchObject({
      clusterName: 'health:8081',
      healthChecks: [{ httpHealthCheck: { path: '/up?deep', codecClientType: 1 } }],
    });
    // Not from loopback to a target elsewhere.
    expect(second?.upstreamBindConfig ?? undefined).toBeUndefined();
  });

  // HdsDelegate of 1.36 to 1.40 takes no names, and throws away all that it is asked with one.
  it('is nothing that has a DNS name', () => {
    const names = (specifierOf('app').clusterHealthChecks ?? []).map((one) => one.clusterName);
    expect(names).toEqual(['health:8080', 'health:8081']);
  });

  it.each([['web'], [undefined]])('is nothing, seldom reported, of %s', (name) => {
    const { clusterHealthChecks = [], interval } = specifierOf(name);
    expect(clusterHealthChecks).toEqual([]);
    expect(Number(interval?.seconds)).toBeGreaterThanOrEqual(3_600);
  });

  it('has another interval each time, by which Envoy counts it anew', () => {
    const times = [0, 1, 999, 60_002];
    const all = times.map((atMs) => intervalOf(atMs));
    expect(all).toEqual([4_000, 4_001, 4_999, 4_002]);
  });
});

it('a bootstrap reports health only where there is something to report', () => {
  const options = {
    service: 'ledger',
    xds: { host: '127.0.0.1', port: 18_000 },
    xdsAnchorPem: '',
    xdsServerName: 'xds.example',
    token: { kind: 'inline', token: 't' },
  } as const;
  expect(toBootstrap(options).hdsConfig).toBeUndefined();
  const { hdsConfig, dynamicResources } = toBootstrap({ ...options, reportsHealth: true });
  expect(hdsConfig?.grpcServices).toEqual(dynamicResources?.adsConfig?.grpcServices);
});
