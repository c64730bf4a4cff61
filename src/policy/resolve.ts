// From the validated text to the resolved mesh: every default applied, every scope folded in.

import { strict as assert } from 'node:assert';
import { toSpiffeId } from '../spiffe/index.js';
import { type EffectiveAccess, looksAtPaths, resolveAccess } from './access.js';
import { resolveAuthority } from './authority.js';
import type { CallerText } from './caller.js';
import { toFormerId } from './former-names.js';
import type {
  Alias,
  AuthoritySettings,
  Caller,
  NodeIssuer,
  Port,
  Service,
  ServiceName,
  StaticEndpoint,
} from './model.js';
import { type NameParts, toDnsNames, tryNameParts } from './names.js';
import { compareText } from './report.js';
import { resolveIssuers } from './resolve-issuers.js';
import type { MeshText, PortText, ServiceText } from './schema.js';
import {
  type Chain,
  createScope,
  resolveCapture,
  resolveCertificates,
  resolveMode,
  resolveTls,
  type Scope,
  type Surroundings,
} from './scopes.js';
import { type Path, placeAt, type Tree } from './tree.js';

export interface ResolvedPort {
  readonly port: Port;
  readonly path: Path;
  readonly chain: Chain;
  readonly effective: EffectiveAccess;
}

export interface ResolvedService {
  readonly service: Service;
  readonly path: Path;
  readonly chain: Chain;
  readonly ports: readonly ResolvedPort[];
}

/** The mesh with the scopes that it came from, which analysis needs. */
export interface Resolution {
  readonly trustDomain: string;
  readonly authority: AuthoritySettings | undefined;
  /** By name, ascending. */
  readonly services: readonly ResolvedService[];
  readonly mesh: Scope;
  readonly nodeIssuers: readonly NodeIssuer[];
  /** Declared namespaces. */
  readonly namespaces: ReadonlyMap<string, Scope>;
}

/** `text` is what the schema made of `tree`, and every name in it is declared. */
export function resolve(text: MeshText, tree: Tree): Resolution {
  return new Resolver(text, tree).resolve();
}

interface NamedService {
  readonly key: string;
  readonly parts: NameParts;
  readonly text: ServiceText;
}

class Resolver {
  readonly #text: MeshText;
  readonly #around: Surroundings;
  readonly #services: readonly NamedService[];
  readonly #byName: ReadonlyMap<ServiceName, NamedService>;
  /** Of services that have had other names. */
  readonly #aliases: readonly Alias[];

  constructor(text: MeshText, tree: Tree) {
    this.#text = text;
    this.#around = { tree, toCaller: (caller) => this.#toCaller(caller) };
    this.#services = Object.entries(text.services ?? {})
      .map(([key, service]) => ({ key, parts: partsOf(key), text: service }))
      .sort((a, b) => compareText(a.parts.name, b.parts.name));
    const own = this.#services.map((one) => [one.parts.name, one] as const);
    const former = this.#services.flatMap((one) =>
      (one.text.formerly ?? []).map((name) => [name, one] as const),
    );
    this.#byName = new Map([...former, ...own]);
    this.#aliases = this.#services.flatMap(({ parts, text }) => {
      const spiffeId = this.#spiffeId(parts.name);
      const others = this.#formerIds(spiffeId, text);
      return others.length === 0 ? [] : [{ spiffeId, others }];
    });
  }

  resolve(): Resolution {
    const { trustDomain, authority: ca, namespaces, ...settings } = this.#text;
    const { certificates, capture } = settings;
    const authority = resolveAuthority(ca, this.#around.tree);
    const mesh = createScope({ path: [], settings, certificates, capture }, this.#around);
    const scopes = new Map<string, Scope>();
    for (const [name, namespace] of Object.entries(namespaces ?? {})) {
      const path = ['namespaces', name];
      const { certificates: ownCertificates, capture: ownCapture } = namespace;
      const own = { certificates: ownCertificates, capture: ownCapture };
      scopes.set(name, createScope({ path, settings: namespace, ...own }, this.#around));
    }
    const services = this.#services.map((named) => {
      const namespace = scopes.get(named.parts.namespace);
      return this.#service(named, namespace === undefined ? [mesh] : [namespace, mesh]);
    });
    const nodeIssuers = resolveIssuers(this.#text.nodeIssuers, this.#around.tree);
    return { trustDomain, authority, services, mesh, namespaces: scopes, nodeIssuers };
  }

  #service({ key, parts, text }: NamedService, wider: Chain): ResolvedService {
    const { tree } = this.#around;
    const path = ['services', key];
    const { certificates, capture } = text;
    const chain: Chain = [
      createScope({ path, settings: text, certificates, capture }, this.#around),
      ...wider,
    ];
    const ports = Object.entries(text.ports ?? {})
      .map(([number, port]) => {
        const long = typeof port === 'string' ? { protocol: port } : port;
        return this.#port(
          { number: Number(number), text: long, path: [...path, 'ports', number] },
          chain,
        );
      })
      .sort((a, b) => a.port.number - b.port.number);
    const spiffeId = this.#spiffeId(parts.name);
    const formerIds = this.#formerIds(spiffeId, text);
    const service: Service = {
      ...parts,
      serviceAccount: text.serviceAccount ?? parts.shortName,
      spiffeId,
      dnsNames: [parts, ...(text.formerly ?? []).map(partsOf)].flatMap(toDnsNames),
      sidecar: text.sidecar ?? true,
      endpoints: (text.endpoints ?? []).map(
        (endpoint, i): StaticEndpoint => ({
          ...endpoint,
          source: placeAt(tree, [...path, 'endpoints', i]),
        }),
      ),
      ports: ports.map(({ port }) => port),
      certificates: resolveCertificates(chain),
      capture: resolveCapture(chain),
      source: placeAt(tree, path),
      ...(text.formerly === undefined ? {} : { formerly: text.formerly }),
      ...(formerIds.length === 0 ? {} : { alsoKnownAs: formerIds }),
    };
    return { service, path, chain, ports };
  }

  #port(input: { number: number; text: PortText; path: Path }, wider: Chain): ResolvedPort {
    const { number, text, path } = input;
    const { tree } = this.#around;
    const source = placeAt(tree, path);
    const chain: Chain = [createScope({ path, settings: text }, this.#around), ...wider];
    const { mode, source: modeSource = source } = resolveMode(chain, tree);
    const effective = this.#withAliases(
      resolveAccess({ chain, protocol: text.protocol, source, tree }),
    );
    const port: Port = {
      number,
      protocol: text.protocol,
      target: text.target ?? { address: '127.0.0.1', port: number },
      mode,
      modeSource,
      tls: resolveTls(chain),
      access: effective.access,
      escapedSlashes:
        text.escapedSlashes ?? (looksAtPaths(effective.access) ? 'reject' : 'forward'),
      headerCase: text.headerCase ?? 'lower',
      health: text.health,
      source,
    };
    return { port, path, chain, effective };
  }

  #withAliases(effective: EffectiveAccess): EffectiveAccess {
    if (this.#aliases.length === 0) return effective;
    return { ...effective, access: { ...effective.access, aliases: this.#aliases } };
  }

  /** Whoever is named by an earlier name or identity is the service that had it. */
  #toCaller(caller: CallerText): Caller {
    if (caller.kind === 'spiffe' && !caller.prefix) {
      const alias = this.#aliases.find(({ others }) => others.includes(caller.id));
      return alias === undefined ? caller : { ...caller, id: alias.spiffeId };
    }
    if (caller.kind !== 'service') return caller;
    const service = this.#byName.get(caller.service)?.parts.name ?? caller.service;
    return { ...caller, service, spiffeId: this.#spiffeId(service) };
  }

  #formerIds(own: string, { formerly = [], serviceAccount }: ServiceText): readonly string[] {
    const { trustDomain } = this.#text;
    const ids = formerly.map((formerName) =>
      toFormerId({ trustDomain, formerName, serviceAccount }),
    );
    return [...new Set(ids)].filter((id) => id !== own);
  }

  #spiffeId(name: ServiceName): string {
    // A service with mistakes of its own is left out; its name still stands for an identity.
    const { namespace, shortName } = partsOf(name);
    const serviceAccount = this.#byName.get(name)?.text.serviceAccount ?? shortName;
    return toSpiffeId({ trustDomain: this.#text.trustDomain, namespace, serviceAccount });
  }
}

function partsOf(key: string): NameParts {
  const parts = tryNameParts(key);
  assert(parts.ok, `unchecked service name ${key}`);
  return parts.value;
}
