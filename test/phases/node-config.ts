import { toProtoJson } from '../../src/cli/proto-json.js';
import { ORDER, type Resource, type ResourceSet, TYPE_URLS } from '../../src/xds/index.js';
import { get, type Json, text } from './json.js';

// What one sidecar has of what it was sent: resources of each type by name, decoded.

interface Held {
  readonly version: string;
  readonly resources: ReadonlyMap<string, Resource>;
}

export type Sets = ReadonlyMap<string, Pick<ResourceSet, 'version' | 'resources'>>;

const NONE: Held = { version: '', resources: new Map() };

export class NodeConfig {
  readonly #types: ReadonlyMap<string, Held>;
  /** Equal where all resources are. */
  readonly fingerprint: number;

  constructor(types: Sets) {
    this.#types = types;
    this.fingerprint = toNumber(ORDER.map((url) => types.get(url)?.version ?? '').join(' '));
  }

  get(typeUrl: string, name: string): Json | undefined {
    const resource = this.#types.get(typeUrl)?.resources.get(name);
    return resource && decode(typeUrl, resource);
  }

  all(typeUrl: string): readonly Json[] {
    const resources = [...(this.#types.get(typeUrl)?.resources.values() ?? [])];
    return resources.map((resource) => decode(typeUrl, resource));
  }

  /**
   * This one on its way to `next`: types are taken one after the other, and what goes is taken away
   * last. @param taken So many types are as in `next`.
   */
  towards(next: NodeConfig, taken: number): NodeConfig {
    const types = ORDER.map((typeUrl, index): [string, Held] => {
      const old = this.#types.get(typeUrl) ?? NONE;
      const coming = next.#types.get(typeUrl) ?? NONE;
      if (index >= taken || old.version === coming.version) return [typeUrl, old];
      const resources = new Map([...old.resources, ...coming.resources]);
      return [typeUrl, { version: `${old.version}+${coming.version}`, resources }];
    });
    const listeners = this.#types.get(TYPE_URLS.listener) ?? NONE;
    return new NodeConfig(new Map(types)).#warming(listeners);
  }

  /** A listener that lacks what it refers to isn't there yet: its old form serves on. */
  #warming(before: Held): NodeConfig {
    const { version, resources } = this.#types.get(TYPE_URLS.listener) ?? NONE;
    const isReady = (name: string): boolean =>
      referencesIn(this.get(TYPE_URLS.listener, name)).every(
        ([typeUrl, other]) => this.get(typeUrl, other) !== undefined,
      );
    const ready = [...resources].flatMap(([name, resource]) => {
      if (isReady(name)) return [[name, resource] as const];
      const old = before.resources.get(name);
      return old === undefined ? [] : [[name, old] as const];
    });
    const served = new Map(ready);
    const isAll = [...resources].every(([name, one]) => served.get(name) === one);
    if (isAll) return this;
    const names = [...served].map(([name, one]) => `${name} ${one.version}`).join();
    const held = { version: `${version}: ${names}`, resources: served };
    return new NodeConfig(new Map([...this.#types, [TYPE_URLS.listener, held]]));
  }
}

const REFERENCES: Readonly<Record<string, string>> = {
  rds: TYPE_URLS.route,
  validation_context_sds_secret_config: TYPE_URLS.secret,
};

/** Routes, filters and secrets of other resources, by type. */
function referencesIn(json: Json | undefined): readonly Reference[] {
  if (typeof json !== 'object' || json === null) return [];
  const known = references.get(json) ?? lookIn(json);
  references.set(json, known);
  return known;
}

type Reference = readonly [typeUrl: string, name: string];

const references = new WeakMap<object, readonly Reference[]>();

function lookIn(json: object): readonly Reference[] {
  return (Object.entries(json) as [string, Json][]).flatMap(
    ([key, value]): readonly Reference[] => {
      const typeUrl = REFERENCES[key];
      const name = text(get(value, 'route_config_name')) ?? text(get(value, 'name'));
      if (typeUrl !== undefined && name !== undefined) return [[typeUrl, name]];
      if (name !== undefined && get(value, 'config_discovery') !== undefined) {
        return [[TYPE_URLS.extension, name]];
      }
      return referencesIn(value);
    },
  );
}

const numbers = new Map<string, number>();

function toNumber(name: string): number {
  const number = numbers.get(name) ?? numbers.size;
  numbers.set(name, number);
  return number;
}

function decode(typeUrl: string, resource: Resource): Json {
  const json = ofResource.get(resource) ?? decodeBytes(typeUrl, resource);
  ofResource.set(resource, json);
  return json;
}

const ofResource = new WeakMap<Resource, Json>();

/** Equal bytes are decoded once. */
const decoded = new Map<string, Json>();

function decodeBytes(typeUrl: string, { name, version, value }: Resource): Json {
  const key = `${typeUrl} ${name} ${version}`;
  const known = decoded.get(key);
  if (known !== undefined) return known;
  const json = toProtoJson(typeUrl.slice(typeUrl.indexOf('/') + 1), value);
  decoded.set(key, json);
  return json;
}
