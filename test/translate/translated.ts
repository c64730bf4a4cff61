import { type Json, toProtoJson } from '../../src/cli/proto-json.js';
import { type Mesh, type ServiceName, serviceName } from '../../src/policy/index.js';
import {
  assignIndexes,
  DEFAULT_OUTBOUND,
  parseOutbound,
  toCalleeAddress,
} from '../../src/server/addresses/index.js';
import {
  NOTHING_REVOKED,
  type Registry,
  type Revoked,
  type SidecarEndpoint,
  toCapturedOutbound,
  translateNode,
  translateService,
} from '../../src/translate/index.js';
import { type Resource, type ResourceSet, TYPE_URLS } from '../../src/xds/index.js';
import { serviceOf } from '../policy/helpers.js';

export type JsonObject = { [key: string]: Json };

/** Sections of a golden, in the order that Envoy is sent them, with the types of their messages. */
export const SECTIONS = {
  clusters: TYPE_URLS.cluster,
  endpoints: TYPE_URLS.endpoint,
  listeners: TYPE_URLS.listener,
  routes: TYPE_URLS.route,
  extensions: TYPE_URLS.extension,
} as const;

export type Section = keyof typeof SECTIONS;
export type Translated = Readonly<Record<Section, readonly JsonObject[]>>;

/** One connected sidecar of each service that has a port, at 10.1.0.<place in the mesh>. */
export function registryOf(mesh: Mesh): Registry {
  const entries = [...mesh.services.values()].map(
    (service): [ServiceName, readonly SidecarEndpoint[]] => [
      service.name,
      service.sidecar && service.ports.length > 0
        ? [{ address: addressOf(mesh, service.name) }]
        : [],
    ],
  );
  return new Map(entries.filter(([, endpoints]) => endpoints.length > 0));
}

export function addressOf(mesh: Mesh, name: ServiceName): string {
  return `10.1.0.${[...mesh.services.keys()].indexOf(name) + 1}`;
}

export interface TranslateOptions {
  readonly name: string;
  readonly registry?: Registry;
  readonly revoked?: Revoked;
}

/** Everything that a sidecar of the service gets but its secrets, by type URL. */
export function setsOf(
  mesh: Mesh,
  { name, registry = registryOf(mesh), revoked = NOTHING_REVOKED }: TranslateOptions,
): ReadonlyMap<string, ResourceSet> {
  const service = serviceOf(mesh, name);
  const indexes = assignIndexes({}, mesh.services.values());
  const outbound = parseOutbound(DEFAULT_OUTBOUND);
  const { listeners } = translateNode({
    mesh,
    service,
    address: addressOf(mesh, serviceName(name)),
    revoked,
    outboundAddress: (callee) =>
      toCalleeAddress(outbound, { callee, index: indexes[callee.name] ?? 0 }),
    capturedOutbound: toCapturedOutbound({ mesh, service, registry, revoked }),
  });
  return new Map([
    ...translateService({ mesh, service, registry, revoked }),
    [TYPE_URLS.listener, listeners],
  ]);
}

/** The same as ProtoJSON. */
export function translate(mesh: Mesh, options: TranslateOptions): Translated {
  const sets = setsOf(mesh, options);
  const section = (name: Section): JsonObject[] =>
    [...(sets.get(SECTIONS[name])?.resources.values() ?? [])].map((resource) =>
      toJson(SECTIONS[name], resource),
    );
  return {
    clusters: section('clusters'),
    endpoints: section('endpoints'),
    listeners: section('listeners'),
    routes: section('routes'),
    extensions: section('extensions'),
  };
}

function toJson(typeUrl: string, { value }: Resource): JsonObject {
  return toProtoJson(typeUrl.slice(typeUrl.indexOf('/') + 1), value);
}

/** Every object within, the outermost first. */
export function* objectsIn(json: Json | readonly Json[]): Generator<JsonObject> {
  if (typeof json !== 'object' || json === null) return;
  if (!Array.isArray(json)) yield json as JsonObject;
  for (const value of Object.values(json)) yield* objectsIn(value as Json);
}

/** Every message of that type within (the end of its `@type`). */
export function messagesIn(json: Json | readonly Json[], type: string): JsonObject[] {
  return [...objectsIn(json)].filter((one) => String(one['@type'] ?? '').endsWith(`.${type}`));
}

/** The value at a path of keys, undefined where it ends on the way. */
export function at(json: Json | undefined, ...keys: (string | number)[]): Json | undefined {
  return keys.reduce<Json | undefined>((value, key) => {
    if (typeof value !== 'object' || value === null) return undefined;
    return (value as JsonObject)[key];
  }, json);
}
