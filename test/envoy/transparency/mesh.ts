import type { ConnectionOptions } from 'node:tls';
import type { EnvoyProcess } from '../../../src/demo/envoy-process.js';
import type { Harness } from '../../harness/index.js';
import { startMesh, type TestMesh } from '../../harness/start-mesh.js';
import { WAYS, type Way } from './case.js';
import { PATHS, PORTS, pathPorts, UNREAD } from './ports.js';

// The one mesh of the suite: a service for each way, so that the ways can be walked at the same
// time, and `app`, whose streams nobody reads and whose rules look at paths.

export interface Place {
  readonly address: string;
  readonly port: number;
}

export interface SharedMesh {
  readonly mesh: TestMesh;
  readonly web: EnvoyProcess;
  readonly app: EnvoyProcess;
  /** Where web's application reaches `app`. */
  readonly outbound: string;
  /** Where the application behind a port listens. */
  application(way: Way | 'direct', port: number): Place;
  /** Where its clients call. */
  called(way: Way | 'direct', port: number): Promise<Place & { readonly tls?: ConnectionOptions }>;
  /** Puts these rules on the port `PATHS.later` of `app`. */
  setRules(rules: string): Promise<void>;
}

const toName = (way: Way): string => `by-${way}`;

export async function startSharedMesh(harness: Harness, binary: string): Promise<SharedMesh> {
  const own = (ports: Readonly<Record<string, number>>) =>
    Object.values(ports).map((port) => ({ port, kind: 'own' as const }));
  const mesh = await startMesh(harness, {
    binary,
    services: {
      web: [],
      app: own({ ...UNREAD, ...PATHS }),
      ...Object.fromEntries(WAYS.map((way) => [toName(way), own(PORTS)])),
    },
    mesh: (service) => toText((name, port) => toTarget(service(name).apps.get(port)), ''),
  });
  const pool = await harness.addresses();
  const address = pool.address();
  const direct = new Map<number, Place>();
  for (const port of Object.values(PORTS)) {
    direct.set(port, { address, port: await pool.port(address) });
  }
  const [web, app] = await Promise.all(
    ['web', 'app', ...WAYS.map(toName)].map((name) => mesh.sidecar(name)),
  );
  const { inForce } = await mesh.wait();
  if (!inForce || web === undefined || app === undefined) throw new Error('not in force');
  const application: SharedMesh['application'] = (way, port) =>
    known(way === 'direct' ? direct.get(port) : mesh.service(toName(way)).apps.get(port));
  return {
    ...{ mesh, web, app, application },
    outbound: await mesh.outboundAddress('web', 'app'),
    called: (way, port) =>
      way === 'direct' ? Promise.resolve(application(way, port)) : toCalled(mesh, way, port),
    setRules: (rules) =>
      mesh.edit(toText((name, port) => toTarget(mesh.service(name).apps.get(port)), rules)),
  };
}

async function toCalled(mesh: TestMesh, way: Way, port: number) {
  const { address } = mesh.service(toName(way));
  if (way === 'plain') return { address, port };
  if (way === 'mesh') return { address: await mesh.outboundAddress('web', toName(way)), port };
  const { key, cert, ca } = await mesh.certificate('web');
  return { address, port, tls: { key, cert, ca, checkServerIdentity: () => undefined } };
}

function toText(target: (name: string, port: number) => string, later: string): string {
  const ways = WAYS.map((way) => {
    const name = toName(way);
    return `  ${name}:
    ports:
      ${PORTS.open}: { protocol: http, target: ${target(name, PORTS.open)} }
      ${PORTS.case}: { protocol: http, headerCase: preserve, target: ${target(name, PORTS.case)} }
      ${PORTS.grpc}: { protocol: grpc, target: ${target(name, PORTS.grpc)} }
`;
  });
  return `trustDomain: test.example
services:
  web: {}
  app:
    ports:
      ${UNREAD.http}: { protocol: http, target: ${target('app', UNREAD.http)} }
      ${UNREAD.http2}: { protocol: http2, target: ${target('app', UNREAD.http2)} }
${pathPorts((port) => target('app', port), later)}
${ways.join('')}`;
}

function toTarget(place: Place | undefined): string {
  const { address, port } = known(place);
  return `"${address}:${port}"`;
}

function known(place: Place | undefined): Place {
  if (place === undefined) throw new Error('the mesh has no such port');
  return place;
}
