import type { ProxyStatus, ServerStatus } from '../../src/server/status/index.js';

export const SYNCED = { state: 'synced', subscribed: true, version: 'v1' } as const;
/** The proxy has not asked for the type. */
export const UNASKED = { state: 'synced', subscribed: false, version: '' } as const;

/** A status of an empty mesh at the beginning of 2026, with what a test changes. */
export function fakeStatus(changes: Partial<ServerStatus> = {}): ServerStatus {
  const { proxies = [], gone = [], refused = [], services = [] } = changes;
  return {
    now: '2026-01-01T00:00:00.000Z',
    mesh: { version: '3f2a9c01d4e5', loadedAt: '2025-12-31T23:58:30.000Z', problems: [] },
    paused: false,
    phase: null,
    steps: [],
    held: [],
    rootChange: null,
    summary: {
      proxies: proxies.length,
      synced: proxies.filter(({ state }) => state === 'synced').length,
      gone: gone.length,
      missing: services.filter(({ expected, connected }) => expected && connected === 0).length,
      undeclared: proxies.filter(({ declared }) => !declared).length,
      refused: refused.length,
    },
    services,
    proxies,
    gone,
    horizon: null,
    warnings: [],
    refused,
    revocations: [],
    drains: [],
    removed: [],
    load: {
      memory: {
        ...{ used: 0, incoming: 0, maxIncoming: 0, ended: 0 },
        limits: { all: 0, service: 0, credential: 0, node: 0 },
      },
      connections: { open: 0, unproved: 0, limits: { all: 0, address: 0, unproved: 0 } },
    },
    ...changes,
  };
}

/** A sidecar in sync, `service~address`. */
export function fakeProxy(node: string, changes: Partial<ProxyStatus> = {}): ProxyStatus {
  const [service = '', address = ''] = node.split('~');
  return {
    node,
    service,
    declared: true,
    address,
    connectedAt: '2025-12-31T23:59:00.000Z',
    state: 'synced',
    secretsOnly: false,
    types: { lds: SYNCED, cds: SYNCED, eds: SYNCED, rds: UNASKED, ecds: UNASKED, sds: SYNCED },
    unbound: [],
    heldBy: null,
    unwell: [],
    statistics: { reports: true, inForce: 'in-force', draining: null },
    certificate: {
      serial: '0a',
      spiffeId: `spiffe://shop.example/ns/default/sa/${service}`,
      notAfter: '2026-01-02T00:00:00.000Z',
    },
    token: { id: 'f00d', endsAt: '2026-01-04T00:00:00.000Z' },
    horizon: { at: '2026-01-02T00:00:00.000Z', what: 'leaf' },
    ...changes,
  };
}
