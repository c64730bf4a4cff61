// A flow: who calls what, by which way and with which connections.
export type Caller = 'web' | 'batch';
export type Speaks = 'http' | 'grpc' | 'tcp' | 'postgres';

export interface Flow {
  readonly name: string;
  /** Undefined: nobody that the mesh knows. */
  readonly caller: Caller | undefined;
  /**
   * `sidecar`: by its own; `plain`, `tls`: without one, at the declared port, in plain text or with
   * the caller's certificate; `mesh port`: there, with that certificate.
   */
  readonly way: 'sidecar' | 'plain' | 'tls' | 'mesh port';
  readonly callee: string;
  readonly port: number;
  readonly speaks: Speaks;
  readonly method: string;
  readonly use: 'kept' | 'fresh';
  /** The only version of TLS that it has; default: either. */
  readonly only?: 'TLSv1.2' | 'TLSv1.3';
  /** Sidecars that its requests may go through, and the client that makes them. */
  readonly through: readonly string[];
}

export const GRPC_PATH = '/walk.Who/Name';

/** Whose certificate is a client's without a sidecar. */
export function toClient(caller: Caller): string {
  return `client of ${caller}`;
}

/** `serves` are the sidecars of each service, of which the first has the declared ports. */
export function toFlows(serves: Readonly<Record<string, readonly string[]>>): readonly Flow[] {
  const uses = ['kept', 'fresh'] as const;
  const ports: Readonly<Record<string, readonly [number, Speaks]>> = {
    ...{ ledger: [8080, 'http'], quotes: [9090, 'grpc'], store: [6000, 'tcp'] },
    ...{ db: [5432, 'postgres'], extra: [8081, 'http'] },
  };
  const flow = (
    way: Flow['way'],
    caller: Caller | undefined,
    [callee, use, rest = {}]: readonly [string, Flow['use'], Partial<Flow>?],
  ): Flow => {
    const [port, speaks] = ports[callee] ?? [0, 'http'];
    const method = rest.method ?? (speaks === 'grpc' ? 'POST' : 'GET');
    const served = serves[callee] ?? [];
    const first = served.slice(0, 1);
    const own = caller === undefined || way === 'sidecar' ? [] : [toClient(caller)];
    const through =
      way === 'sidecar' ? [...(serves[caller ?? ''] ?? []), ...served] : [...first, ...own];
    const only = rest.only === undefined ? '' : ` ${rest.only}`;
    const name = `${caller ?? 'a stranger'} ${method} ${callee} by ${way}${only}, ${use}`;
    return { name, caller, way, callee, port, speaks, method, use, through, ...rest };
  };
  return [
    ...uses.flatMap((use) => [
      flow('sidecar', 'web', ['ledger', use]),
      flow('sidecar', 'web', ['ledger', use, { method: 'POST' }]),
      flow('sidecar', 'batch', ['ledger', use]),
      flow('sidecar', 'web', ['quotes', use]),
      flow('sidecar', 'web', ['store', use]),
      flow('sidecar', 'batch', ['store', use]),
      flow('sidecar', 'web', ['db', use]),
      flow('sidecar', 'web', ['extra', use]),
      flow('tls', 'web', ['ledger', use]),
      flow('plain', undefined, ['ledger', use]),
    ]),
    flow('sidecar', 'batch', ['quotes', 'kept']),
    flow('tls', 'web', ['ledger', 'fresh', { only: 'TLSv1.2' }]),
    flow('tls', 'batch', ['ledger', 'fresh', { only: 'TLSv1.3', method: 'POST' }]),
    flow('tls', 'web', ['quotes', 'fresh']),
    flow('tls', 'web', ['store', 'fresh']),
    flow('plain', undefined, ['store', 'fresh']),
    flow('mesh port', 'web', ['store', 'fresh']),
    flow('mesh port', 'batch', ['ledger', 'fresh']),
    flow('mesh port', 'web', ['quotes', 'fresh']),
  ];
}
