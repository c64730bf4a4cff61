// The mesh of the walk, as data that edits change and that a replay can begin with.
import { type Mesh, parseMesh } from '../../src/policy/index.js';

/** Applications, each of which says who it is. */
export const APPS = ['red', 'blue', 'green', 'gray', 'east', 'west', 'base'] as const;
export type AppName = (typeof APPS)[number];

export interface RuleDoc {
  readonly from?: readonly string[];
  readonly methods?: readonly string[];
}

export interface ScopeDoc {
  readonly mtls?: string;
  readonly access?: string;
  readonly tls?: { readonly minVersion?: string; readonly maxVersion?: string };
  readonly allow?: readonly RuleDoc[];
  readonly deny?: readonly RuleDoc[];
}

export interface PortDoc extends ScopeDoc {
  readonly protocol: string;
  readonly target: AppName;
}

export interface ServiceDoc extends ScopeDoc {
  readonly serviceAccount?: string;
  readonly formerly?: readonly string[];
  readonly ports?: Readonly<Record<string, PortDoc>>;
}

export interface MeshDoc extends ScopeDoc {
  readonly trustDomain: string;
  readonly certificates: { readonly ttl: string; readonly key: string };
  readonly namespaces: { readonly default: ScopeDoc };
  readonly services: Readonly<Record<string, ServiceDoc>>;
}

export const TRUST_DOMAIN = 'walk.example';

/** With which a walk begins. `reports` has no flow: the stubs of the walk are sidecars of it. */
export const FIRST_MESH: MeshDoc = {
  trustDomain: TRUST_DOMAIN,
  mtls: 'strict',
  certificates: { ttl: '24h', key: 'ecdsa-p256' },
  namespaces: { default: {} },
  services: {
    web: {},
    batch: {},
    reports: {},
    ledger: { ports: { 8080: { protocol: 'http', target: 'red' } } },
    quotes: { ports: { 9090: { protocol: 'grpc', target: 'green' } } },
    store: { ports: { 6000: { protocol: 'tcp', target: 'east' } } },
    db: { ports: { 5432: { protocol: 'tcp', target: 'base' } } },
    extra: { ports: { 8081: { protocol: 'http', target: 'blue' } } },
  },
};

export type Targets = Readonly<Record<AppName, string>>;

/** Of no machine: `check` and the oracle don't ask where an application is. */
export const NO_TARGETS = Object.fromEntries(
  APPS.map((app, index) => [app, `127.0.0.1:${9_000 + index}`]),
) as Targets;

/** As mesh.yaml has it; JSON is YAML. */
export function toText(doc: MeshDoc, targets: Targets): string {
  const services = Object.entries(doc.services).map(([name, service]) => {
    const { ports = {} } = service;
    const resolved = Object.entries(ports).map(([number, port]) => [
      number,
      { ...port, target: targets[port.target] },
    ]);
    const own = resolved.length === 0 ? {} : { ports: Object.fromEntries(resolved) };
    return [name, { ...service, ...own }];
  });
  const names = { services: Object.fromEntries(services) };
  return `${JSON.stringify({ ...doc, ...names }, undefined, 1)}\n`;
}

/** Undefined: `check` refuses it. */
export function tryMesh(doc: MeshDoc): Mesh | undefined {
  return parseMesh([{ path: 'mesh.yaml', text: toText(doc, NO_TARGETS) }]).mesh;
}

const BY_TARGET = new Map(Object.entries(NO_TARGETS).map(([app, at]) => [at, app as AppName]));

/** Which application stands at a target of `NO_TARGETS`. */
export function toApp({
  address,
  port,
}: {
  readonly address: string;
  readonly port: number;
}): AppName {
  const app = BY_TARGET.get(`${address}:${port}`);
  if (app === undefined) throw new Error(`no application at ${address}:${port}`);
  return app;
}
