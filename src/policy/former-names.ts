// Earlier names of services (`formerly`): whoever comes by one is the service that has it now.
import { toSpiffeId } from '../spiffe/index.js';
import type { Mesh, Service, ServiceName } from './model.js';
import { DEFAULT_NAMESPACE } from './names.js';

const known = new WeakMap<ReadonlyMap<ServiceName, Service>, ReadonlyMap<string, Service>>();

/** The declared service of that name, or that had it formerly. */
export function findService(
  { services }: Pick<Mesh, 'services'>,
  name: string,
): Service | undefined {
  const found = services.get(name as ServiceName);
  if (found !== undefined) return found;
  const formers = known.get(services) ?? byFormerName(services);
  known.set(services, formers);
  return formers.get(name);
}

/** The same, but for what is only left of a service that the mesh declares no longer. */
export function findDeclared(mesh: Pick<Mesh, 'services'>, name: string): Service | undefined {
  const found = findService(mesh, name);
  return found?.leaving === undefined ? found : undefined;
}

function byFormerName(services: ReadonlyMap<ServiceName, Service>): ReadonlyMap<string, Service> {
  return new Map(
    [...services.values()].flatMap((service) =>
      (service.formerly ?? []).map((name): [string, Service] => [name, service]),
    ),
  );
}

/** The service's name, then its earlier ones. */
export function toNames({
  name,
  formerly = [],
}: Pick<Service, 'name' | 'formerly'>): readonly ServiceName[] {
  return [name, ...formerly];
}

/** Every SPIFFE ID by which the service may be known, its own first. */
export function toSpiffeIds({ spiffeId, alsoKnownAs = [] }: Service): readonly string[] {
  return [spiffeId, ...alsoKnownAs];
}

/** The namespace, and the name within it. */
export function splitServiceName(name: string): { namespace: string; shortName: string } {
  const [shortName = '', namespace = DEFAULT_NAMESPACE] = name.split('/').reverse();
  return { namespace, shortName };
}

export interface FormerIdentity {
  readonly trustDomain: string;
  readonly formerName: ServiceName;
  /** As it is written; undefined: the name's own. */
  readonly serviceAccount: string | undefined;
}

/** Who a service was by an earlier name: an account that is written was its account then too. */
export function toFormerId({ trustDomain, formerName, serviceAccount }: FormerIdentity): string {
  const { namespace, shortName } = splitServiceName(formerName);
  return toSpiffeId({ trustDomain, namespace, serviceAccount: serviceAccount ?? shortName });
}
