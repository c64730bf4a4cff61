import type { Mesh, ServiceName } from '../../src/policy/index.js';
import {
  assignIndexes,
  DEFAULT_OUTBOUND,
  parseOutbound,
  toCalleeAddress,
} from '../../src/server/addresses/index.js';
import {
  NOTHING_REVOKED,
  toCallers,
  toCapturedOutbound,
  toSecrets,
  translateNode,
  translateService,
} from '../../src/translate/index.js';
import { createResourceSet, TYPE_URLS } from '../../src/xds/index.js';
import { arrive, type Connection, follow, isArrived, type Outcome } from './call-oracle.js';
import { NodeConfig } from './node-config.js';

// A small world of sidecars, one of each service, and every way by which somebody may come in.

const ADDRESSES: Readonly<Record<string, string>> = {
  web: '10.1.0.1',
  batch: '10.1.0.2',
  ledger: '10.1.0.3',
};
const PEM = { keyPem: 'k', chainPem: 'c', anchorsPem: 'a' };

/** What the sidecar of a service is to have while the mesh is in force. */
export function configOf(mesh: Mesh, name: string): NodeConfig {
  const service = mesh.services.get(name as ServiceName);
  if (service === undefined) return new NodeConfig(new Map());
  const indexes = assignIndexes({}, mesh.services.values());
  const outbound = parseOutbound(DEFAULT_OUTBOUND);
  const registry = new Map(
    Object.entries(ADDRESSES).map(([one, address]) => [one as ServiceName, [{ address }]]),
  );
  const callers = toCallers({ mesh, service, deniedIds: [] });
  const { listeners } = translateNode({
    ...{ mesh, service, address: ADDRESSES[name] ?? '' },
    outboundAddress: (callee) =>
      toCalleeAddress(outbound, { callee, index: indexes[callee.name] ?? 0 }),
    capturedOutbound: toCapturedOutbound({ mesh, service, registry, revoked: NOTHING_REVOKED }),
  });
  return new NodeConfig(
    new Map([
      ...translateService({ mesh, service, registry }),
      [TYPE_URLS.listener, listeners],
      [TYPE_URLS.secret, createResourceSet(toSecrets(PEM, callers))],
    ]),
  );
}

/** Somebody who calls a port of `ledger`. */
export interface Flow {
  /** A service by its own sidecar, or who comes without one. */
  readonly by: 'sidecar' | 'mesh port' | 'certificate' | 'no certificate' | 'plain text';
  readonly caller: string;
  readonly port: number;
  readonly method: string;
  readonly path: string;
}

export function formatFlow({ by, caller, port, method, path }: Flow): string {
  return `${caller} by ${by}: ${method} ${path} to ${port}`;
}

const MESH_PORT = 15443;
const identityOf = (name: string): string => `spiffe://shop.example/ns/default/sa/${name}`;

/** Every way to a port, of each caller. */
export function flowsTo(
  port: number,
  callers: readonly string[],
  requests: readonly { method: string; path: string }[],
): readonly Flow[] {
  return requests.flatMap((request) => [
    { by: 'plain text', caller: 'a stranger', port, ...request } as const,
    { by: 'no certificate', caller: 'a stranger', port, ...request } as const,
    ...callers.flatMap((caller) =>
      (['sidecar', 'mesh port', 'certificate'] as const).map((by) => ({
        ...{ by, caller, port },
        ...request,
      })),
    ),
  ]);
}

/** The ends of a call. */
export interface Ends {
  readonly caller: NodeConfig;
  readonly callee: NodeConfig;
  /** By which the connection was taken; absent: by that which the callee has. */
  readonly accepted?: NodeConfig;
}

export interface Ending {
  readonly outcome: Outcome;
  /** The way on which it came to the callee. */
  readonly way: Flow['by'];
}

/** What becomes of a call, over each endpoint that it may take. */
export function call(flow: Flow, { caller, callee, accepted = callee }: Ends): readonly Ending[] {
  const ends = { accepted, now: callee, identity: identityOf('ledger') };
  const connections = connectionsOf(flow, caller);
  if (connections.length === 0) {
    return [{ outcome: { refused: 'the caller has no way there' }, way: flow.by }];
  }
  return connections.map((one) => ({
    outcome: arrive(ends, one, flow),
    way: flow.by !== 'sidecar' ? flow.by : one.port === MESH_PORT ? 'mesh port' : 'plain text',
  }));
}

function connectionsOf(flow: Flow, caller: NodeConfig): readonly Connection[] {
  const { by, port } = flow;
  const address = ADDRESSES['ledger'] ?? '';
  const plain = { address, port, wire: 'h1' as const, tls: undefined };
  const tls = {
    serverName: 'ledger',
    versions: ['TLSv1_2', 'TLSv1_3'] as const,
    curves: [],
    servers: undefined,
    identity: identityOf(flow.caller),
  };
  switch (by) {
    case 'sidecar':
      return follow(caller, { callee: `ledger:${port}`, identity: tls.identity });
    case 'mesh port':
      return [
        {
          ...plain,
          port: MESH_PORT,
          tls: { ...tls, serverName: `${port}.ledger.default.mesh` },
        },
      ];
    case 'certificate':
      return [{ ...plain, tls }];
    case 'no certificate':
      return [{ ...plain, tls: { ...tls, identity: undefined } }];
    case 'plain text':
      return [plain];
  }
}

export function works(endings: readonly Ending[]): boolean {
  return endings.length > 0 && endings.every(({ outcome }) => isArrived(outcome));
}
