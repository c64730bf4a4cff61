// From the mesh in force, the endpoints and the leaves to what each stream is to have. What is the
// same for every node of a service is translated once; a set whose content is unchanged keeps its
// identity, so that streams which hold it have nothing to compare. A node whose translation fails
// keeps what it has.
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../base/index.js';
import type { Leaf } from '../../ca/index.js';
import { findService, type Mesh, type Service, type ServiceName } from '../../policy/index.js';
import {
  assertNoLoop,
  type Callers,
  NOTHING_REVOKED,
  type Registry,
  type Revoked,
  toCallers,
  toCapturedOutbound,
  toSecrets,
  translateNode,
  translateService,
} from '../../translate/index.js';
import {
  createResourceSet,
  EMPTY_SET,
  ORDER,
  type Resource,
  type ResourceSet,
  type Snapshot,
  TYPE_URLS,
} from '../../xds/index.js';
import { type OutboundIndexes, tryCalleeAddress } from '../addresses/index.js';
import type { Sidecar } from '../join/index.js';
import type { MeshInForce } from '../mesh/index.js';
import { toAffected } from './affected.js';
import { Editions } from './editions.js';
import { type SidecarKey, toKey } from './held-table.js';
import { OldTargets } from './old-targets.js';

export interface PublisherInput {
  readonly mesh: Mesh;
  readonly endpoints: Registry;
  /** Default: nothing. */
  readonly revoked?: Revoked;
  /** The same for a mesh of before, which some sidecars are still to have. */
  readonly revokedIn?: (older: MeshInForce) => Revoked;
  /** Revocation lists, PEM; absent: none. */
  readonly crlPem?: string | undefined;
  /** Whether this one is to take no new connections. Default: none is. */
  readonly isClosed?: (sidecar: SidecarKey) => boolean;
}

type Clashes = ReturnType<typeof translateNode>['clashes'];

/**
 * What is made for one edition of a service still holds for the same. Of the newest mesh that is a
 * number; of an older one it is the input, with that mesh in it.
 */
type Edition = number | PublisherInput;

/** A mesh to translate, and what else is. */
interface Translating {
  readonly input: PublisherInput;
  readonly edition: Edition;
}

/** What is the same for every node of a service. */
interface SharedSets {
  readonly edition: Edition;
  readonly sets: ReadonlyMap<string, ResourceSet>;
}

/** Of one service at once: what its sidecars last took, the newest, and what lies between. */
const MOST_EDITIONS = 4;

interface NodeSets {
  /** For whom: a node that joins again may have another address. */
  sidecar: Sidecar;
  /** Of what its service is sent. */
  edition: Edition;
  isClosed: boolean;
  capturedOutbound: Resource | undefined;
  listeners: ResourceSet;
  leaf: Leaf;
  anchors: string;
  crlPem: string | undefined;
  callers: readonly Callers[];
  secrets: ResourceSet;
  unplaced: readonly ServiceName[];
  clashes: Clashes;
}

export interface Publication {
  readonly snapshot: Snapshot;
  /** Services for which the sidecar's outbound prefix has no address: it can't call them. */
  readonly unplaced: readonly ServiceName[];
  /** Callees without a listener, because their place is another's. */
  readonly clashes: Clashes;
}

const NOTHING: Snapshot = new Map(ORDER.map((typeUrl) => [typeUrl, EMPTY_SET]));

export interface PublisherOptions {
  readonly indexes: OutboundIndexes;
  readonly anchorsPem: () => string;
  readonly clock: Pick<Clock, 'after'>;
  /** What some service is sent has changed by itself. */
  readonly onChange: () => void;
}

export class Publisher {
  readonly #options: PublisherOptions;
  #input: PublisherInput;
  /** The input as it is for a mesh of before. */
  #older = new WeakMap<Mesh, PublisherInput>();
  /** The newest last; those of before are for sets that don't change. */
  readonly #services = new Map<ServiceName, readonly SharedSets[]>();
  /**
   * By service: the listener for what is captured, which names the addresses of all that the
   * service calls. It is made once for all of its nodes, and only where one of these has changed.
   */
  readonly #captured = new Map<ServiceName, { edition: Edition; resource: Resource }>();
  readonly #nodes = new Map<string, NodeSets>();
  /** By service: whom its tcp ports take. */
  readonly #callers = new Map<
    ServiceName,
    { readonly edition: Edition; readonly callers: readonly Callers[] }
  >();
  readonly #editions = new Editions();
  readonly #oldTargets: OldTargets;
  #translations = 0;

  constructor(input: PublisherInput, options: PublisherOptions) {
    this.#input = input;
    this.#options = options;
    this.#oldTargets = new OldTargets({
      clock: options.clock,
      onEnd: (service) => {
        this.#editions.next(new Set([service]));
        options.onChange();
      },
    });
  }

  stop(): void {
    this.#oldTargets.stop();
  }

  /** What is translated from now on: for whom it says something else. */
  update(input: PublisherInput): void {
    const affected = toAffected(this.#input, input);
    this.#input = input;
    this.#older = new WeakMap();
    this.#editions.next(affected);
  }

  /** How often something was translated for a service or a sidecar. */
  get translations(): number {
    return this.#translations;
  }

  /**
   * What this sidecar is to have: nothing where its service is no longer declared.
   * @param older The mesh that it is to have, where that isn't the newest.
   * @throws MeshError address-in-use where the mesh now has its application where it listens
   */
  toPublication(sidecar: Sidecar, leaf: Leaf, older?: MeshInForce): Publication {
    const of = this.#toTranslating(sidecar.service, older);
    const service = findService(of.input.mesh, sidecar.service);
    if (service === undefined) return { snapshot: NOTHING, unplaced: [], clashes: [] };
    if (sidecar.isStatic) return this.#toSecretsAlone(sidecar, leaf, of);
    assertNoLoop(service, sidecar);
    const shared = this.#toShared(service, of);
    const { listeners, secrets, unplaced, clashes } = this.#toNodeSets(sidecar, leaf, of);
    const own = [
      [TYPE_URLS.listener, listeners],
      [TYPE_URLS.secret, secrets],
    ] as const;
    return { snapshot: new Map([...shared, ...own]), unplaced, clashes };
  }

  /** Listeners and clusters of a static Envoy are its own. */
  #toSecretsAlone(sidecar: Sidecar, leaf: Leaf, of: Translating): Publication {
    const { secrets } = this.#toNodeSets(sidecar, leaf, of);
    return { snapshot: new Map([[TYPE_URLS.secret, secrets]]), unplaced: [], clashes: [] };
  }

  /** The node is gone. */
  forget(sidecar: SidecarKey): void {
    this.#nodes.delete(toKey(sidecar));
  }

  #toTranslating(name: ServiceName, older: MeshInForce | undefined): Translating {
    const input = this.#input;
    if (older === undefined || older.mesh === input.mesh) {
      return { input, edition: this.#editions.of(findService(input.mesh, name)?.name ?? name) };
    }
    const { mesh } = older;
    const found = this.#older.get(mesh);
    const revoked = input.revokedIn?.(older) ?? NOTHING_REVOKED;
    const made = found ?? { ...input, mesh, revoked, endpoints: endpointsIn(mesh, input) };
    this.#older.set(mesh, made);
    return { input: made, edition: made };
  }

  #toShared(service: Service, { input, edition }: Translating): ReadonlyMap<string, ResourceSet> {
    const { name } = service;
    const known = this.#services.get(name) ?? [];
    const found = known.find((one) => one.edition === edition);
    if (found !== undefined) return found.sets;
    const { mesh, endpoints, revoked = NOTHING_REVOKED } = input;
    this.#translations++;
    const translated = translateService({ mesh, service, registry: endpoints, revoked });
    const made = this.#oldTargets.addTo(translated, name);
    const sets = new Map([...made].map(([url, set]) => [url, keepAny(known, url, set)]));
    this.#services.set(name, [...known.slice(1 - MOST_EDITIONS), { edition, sets }]);
    return sets;
  }

  /** The same for every node of a service, and the same object while it says the same. */
  #toCapturedOutbound(
    service: Service | undefined,
    { input, edition }: Translating,
  ): Resource | undefined {
    if (service?.capture.outbound !== 'transparent') return undefined;
    const old = this.#captured.get(service.name);
    if (old?.edition === edition) return old.resource;
    const { mesh, endpoints, revoked = NOTHING_REVOKED } = input;
    const next = toCapturedOutbound({ mesh, service, registry: endpoints, revoked });
    const resource = old?.resource.version === next.version ? old.resource : next;
    this.#captured.set(service.name, { edition, resource });
    return resource;
  }

  /** The same for every node of a service, and the same object while it says the same. */
  #toCallers(service: Service | undefined, { input, edition }: Translating): readonly Callers[] {
    if (service === undefined) return [];
    const { name } = service;
    const { mesh, revoked = NOTHING_REVOKED } = input;
    const old = this.#callers.get(name);
    if (old?.edition === edition) return old.callers;
    const next = toCallers({ mesh, service, deniedIds: revoked.deniedIds });
    const callers = isDeepStrictEqual(old?.callers, next) ? (old?.callers ?? next) : next;
    this.#callers.set(name, { edition, callers });
    return callers;
  }

  #toNodeSets(sidecar: Sidecar, leaf: Leaf, of: Translating): NodeSets {
    const { input, edition } = of;
    const { address, listen, outbound } = sidecar;
    const key = toKey(sidecar);
    const { mesh, revoked = NOTHING_REVOKED, crlPem } = input;
    const isClosed = input.isClosed?.(sidecar) ?? false;
    const { indexes } = this.#options;
    const anchorsPem = this.#options.anchorsPem();
    const old = this.#nodes.get(key);
    const service = findService(mesh, sidecar.service);
    const callers = this.#toCallers(service, of);
    const capturedOutbound = sidecar.isStatic ? undefined : this.#toCapturedOutbound(service, of);
    const unplaced = new Set<ServiceName>();
    const isSame =
      old?.edition === edition &&
      old.sidecar === sidecar &&
      old.isClosed === isClosed &&
      old.capturedOutbound === capturedOutbound;
    const isKnown = isSame || service === undefined || sidecar.isStatic === true;
    if (!isKnown) this.#translations++;
    const { listeners, clashes } = isKnown
      ? { listeners: old?.listeners, clashes: old?.clashes ?? [] }
      : translateNode({
          mesh,
          service,
          address,
          listen,
          revoked,
          isClosed,
          capturedOutbound,
          outboundAddress: (callee) => {
            const index = indexes.get(callee.name);
            const placed = tryCalleeAddress(outbound, { callee, index });
            // Whom a list leaves out it isn't to call.
            if (placed === undefined && outbound.kind === 'prefix') unplaced.add(callee.name);
            return placed;
          },
        });
    const secrets =
      old?.leaf === leaf &&
      old.anchors === anchorsPem &&
      old.crlPem === crlPem &&
      old.callers === callers
        ? old.secrets
        : createResourceSet(toSecrets({ ...leaf, anchorsPem, crlPem }, callers));
    const sets: NodeSets = {
      sidecar,
      edition,
      isClosed,
      capturedOutbound,
      leaf,
      anchors: anchorsPem,
      crlPem,
      callers,
      clashes,
      unplaced: isKnown && old !== undefined ? old.unplaced : [...unplaced],
      listeners: keep(old?.listeners, listeners ?? createResourceSet([])),
      secrets: keep(old?.secrets, secrets),
    };
    this.#nodes.set(key, sets);
    return sets;
  }
}

/** A set of before that says the same. */
function keepAny(known: readonly SharedSets[], typeUrl: string, next: ResourceSet): ResourceSet {
  const olds = known.map(({ sets }) => sets.get(typeUrl));
  return olds.find((old) => old?.version === next.version) ?? next;
}

function keep(old: ResourceSet | undefined, next: ResourceSet): ResourceSet {
  return old?.version === next.version ? old : next;
}

/** By the names that services have in a mesh of before. */
function endpointsIn(older: Mesh, { mesh, endpoints }: PublisherInput): Registry {
  const names = [...older.services.keys()];
  const now = names.map((name) => [name, findService(mesh, name)?.name ?? name] as const);
  if (now.every(([name, one]) => name === one)) return endpoints;
  return new Map(now.map(([name, one]) => [name, endpoints.get(one) ?? []]));
}
