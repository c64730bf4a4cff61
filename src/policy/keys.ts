// What the schema cannot check about the names in a mesh: keys that are service names, namespaces
// and port numbers, and that every name in `from` is one of them.
import {
  isTrustDomain,
  serviceAccountPrefix,
  toSpiffeId,
  trustDomainPrefix,
} from '../spiffe/index.js';
import { tryPort } from './address.js';
import { tryCaller } from './caller.js';
import { checkFormerNames } from './former-keys.js';
import { toFormerId } from './former-names.js';
import type { ServiceName } from './model.js';
import { DEFAULT_NAMESPACE, LABEL, RESERVED_NAMES, tryLabel, tryNameParts } from './names.js';
import type { Parsed } from './parsed.js';
import { describe, listOr, type Report } from './report.js';
import {
  type Entry,
  formatPath,
  itemsAt,
  type MapTree,
  type Path,
  placeAt,
  treeAt,
  valueAt,
} from './tree.js';

/** Sidecars call each other there (DESIGN.md "The mesh port"). */
export const MESH_PORT = 15_443;

/** Checks every name and reference; returns the paths at which something is wrong. */
export function checkKeys(tree: MapTree, report: Report): Path[] {
  const checker = new KeyChecker(tree, report);
  checker.check();
  return checker.faults;
}

/** SPIFFE IDs of this trust domain. */
interface Identities {
  readonly services: ReadonlySet<string>;
  /** What the IDs of each declared namespace begin with. */
  readonly namespaces: readonly string[];
}

class KeyChecker {
  readonly faults: Path[] = [];
  readonly #services = new Map<ServiceName, Path>();
  /** Earlier names, and where they stand. */
  #formers: ReadonlyMap<ServiceName, Path> = new Map();
  readonly #namespaces = new Set<string>();
  #identities: Identities | undefined;

  constructor(
    private readonly tree: MapTree,
    private readonly report: Report,
  ) {}

  check(): void {
    for (const [key] of entriesAt(this.tree, ['namespaces'])) this.#namespaceKey(key);
    for (const [key] of entriesAt(this.tree, ['services'])) this.#serviceKey(key);
    this.#formers = checkFormerNames(this.#services, this.tree, (path, message, hint) =>
      this.#add(path, message, hint),
    );
    // References only now: they may name what stands further down.
    this.#issuers();
    this.#rules([]);
    for (const [key] of entriesAt(this.tree, ['namespaces'])) this.#rules(['namespaces', key]);
    for (const [key] of entriesAt(this.tree, ['services'])) {
      const path = ['services', key];
      this.#rules(path);
      for (const [port] of entriesAt(this.tree, [...path, 'ports'])) {
        this.#portKey([...path, 'ports'], port);
        this.#rules([...path, 'ports', port]);
      }
    }
  }

  /** The services that tokens of outside issuers are mapped to. */
  #issuers(): void {
    const path = ['nodeIssuers'];
    const known = [...this.#services.keys()];
    for (const [i] of itemsAt(this.tree, path)) {
      for (const [j] of itemsAt(this.tree, [...path, i, 'nodes'])) {
        const at = [...path, i, 'nodes', j, 'service'];
        const text = valueAt(this.tree, at);
        const parts = typeof text === 'string' ? tryNameParts(text) : undefined;
        if (parts?.ok !== true || this.#isKnown(parts.value.name)) continue;
        this.#undeclared(at, parts.value.name, known);
      }
    }
  }

  #namespaceKey(key: string): void {
    this.#namespaces.add(key);
    const path = ['namespaces', key];
    const label = tryLabel(key, 'a namespace');
    if (!label.ok) this.#misnamed(path, label, key);
    else if (RESERVED_NAMES.includes(key)) {
      this.#add(path, `expected a name other than the reserved word ${key}`);
    }
  }

  #serviceKey(key: string): void {
    const path = ['services', key];
    const parts = tryNameParts(key);
    if (!parts.ok) {
      this.#misnamed(path, parts, key);
      return;
    }
    const { name, namespace } = parts.value;
    this.#namespaces.add(namespace);
    const earlier = this.#services.get(name);
    if (earlier === undefined) this.#services.set(name, path);
    else this.#add(path, `expected each service once but got ${formatPath(earlier)} too`);
  }

  #portKey(parent: Path, key: string): void {
    const path = [...parent, key];
    const port = tryPort(key);
    if (port === undefined) {
      this.#add(path, `expected a port from 1 to 65535 but got ${describe(key)}`);
    } else if (port === MESH_PORT) {
      const message = `expected a port other than ${MESH_PORT}, where sidecars call each other`;
      this.#add(path, message);
    }
  }

  /** The references in the rules of the scope at `path`. */
  #rules(path: Path): void {
    for (const list of ['allow', 'deny']) {
      const rules = treeAt(this.tree, [...path, list]);
      if (rules?.kind !== 'list') continue;
      for (const index of rules.items.keys()) {
        this.#references([...path, list, index, 'from']);
        this.#references([...path, list, index, 'not', 'from']);
      }
    }
  }

  #references(path: Path): void {
    const from = treeAt(this.tree, path);
    if (from?.kind !== 'list') return;
    for (const [index, item] of from.items.entries()) {
      const text = item.kind === 'scalar' ? item.value : undefined;
      const caller = typeof text === 'string' ? tryCaller(text) : undefined;
      if (caller?.ok !== true) continue;
      const { value } = caller;
      if (value.kind === 'service' && !this.#isKnown(value.service)) {
        this.#undeclared([...path, index], value.service, [...this.#services.keys()]);
      } else if (value.kind === 'namespace' && !this.#isNamespace(value.namespace)) {
        const known = [...this.#namespaces].map((namespace) => `${namespace}/*`);
        this.#undeclared([...path, index], `${value.namespace}/*`, known);
      } else if (value.kind === 'spiffe') {
        this.#spiffeId([...path, index], value);
      }
    }
  }

  /** Identities of this trust domain are those of the declared services. */
  #spiffeId(path: Path, { id, prefix }: { id: string; prefix: boolean }): void {
    const trustDomain = valueAt(this.tree, ['trustDomain']);
    if (typeof trustDomain !== 'string' || !isTrustDomain(trustDomain)) return;
    if (!id.startsWith(trustDomainPrefix(trustDomain))) return;
    this.#identities ??= this.#declaredIdentities(trustDomain);
    const { services, namespaces } = this.#identities;
    if (prefix) {
      if ([...services, ...namespaces].some((known) => known.startsWith(id))) return;
      const what = 'the beginning of SPIFFE IDs of declared services';
      this.#add(path, `expected ${what} but got ${describe(`${id}*`)}`);
    } else if (!services.has(id)) {
      const meant = this.report.didYouMean(id, services);
      this.#add(path, `expected a declared service's SPIFFE ID but got ${describe(id)}${meant}`);
    }
  }

  #declaredIdentities(trustDomain: string): Identities {
    const services = new Set<string>();
    for (const [name, path] of this.#services) {
      const parts = tryNameParts(name);
      if (!parts.ok) continue;
      const { namespace, shortName } = parts.value;
      const written = valueAt(this.tree, [...path, 'serviceAccount']);
      const serviceAccount = typeof written === 'string' ? written : shortName;
      if (LABEL.test(serviceAccount))
        services.add(toSpiffeId({ trustDomain, namespace, serviceAccount }));
    }
    for (const [formerName, path] of this.#formers) {
      const written = valueAt(this.tree, [...path.slice(0, 2), 'serviceAccount']);
      const serviceAccount = typeof written === 'string' ? written : undefined;
      if (serviceAccount !== undefined && !LABEL.test(serviceAccount)) continue;
      services.add(toFormerId({ trustDomain, formerName, serviceAccount }));
    }
    const known = [DEFAULT_NAMESPACE, ...this.#namespaces];
    const namespaces = known.map((namespace) => serviceAccountPrefix(trustDomain, namespace));
    return { services, namespaces };
  }

  #isKnown(service: ServiceName): boolean {
    return this.#services.has(service) || this.#formers.has(service);
  }

  #isNamespace(namespace: string): boolean {
    return namespace === DEFAULT_NAMESPACE || this.#namespaces.has(namespace);
  }

  #undeclared(path: Path, name: string, known: readonly string[]): void {
    const meant = elsewhere(name, known) ?? this.report.didYouMean(name, known);
    const what = name.endsWith('/*') ? 'namespace' : 'service';
    this.#add(path, `expected a declared ${what} but got "${name}"${meant}`);
  }

  #misnamed(path: Path, wrong: Exclude<Parsed<never>, { ok: true }>, key: string): void {
    const refused = 'refused' in wrong;
    const message = refused ? wrong.refused : `expected ${wrong.expected} but got ${describe(key)}`;
    this.#add(path, message, refused ? undefined : wrong.hint);
  }

  #add(path: Path, message: string, hint?: string): void {
    this.faults.push(path);
    this.report.add({ source: placeAt(this.tree, path), path: formatPath(path), message, hint });
  }
}

const SHOWN_NAMES = 3;

/** The services of that name in other namespaces. */
function elsewhere(name: string, known: readonly string[]): string | undefined {
  const shortName = name.split('/').at(-1);
  if (shortName === '*') return undefined;
  const same = known.filter((other) => other.split('/').at(-1) === shortName);
  if (same.length === 0) return undefined;
  const shown = same.slice(0, SHOWN_NAMES).map((other) => `"${other}"`);
  return ` (did you mean ${listOr(shown)}?)`;
}

function entriesAt(tree: MapTree, path: Path): Iterable<[string, Entry]> {
  const found = treeAt(tree, path);
  return found?.kind === 'map' ? found.entries : [];
}
