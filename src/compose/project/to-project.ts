// The merged project in the form that the plan is made of.
import type { ComposePlace } from './compose-error.js';
import { composeInvalid, shownName } from './compose-error.js';
import type { ComposeNetwork, ComposeProject, ComposeService } from './compose-project.js';
import { type ServiceExtras, toService } from './to-service.js';
import { isMap, isTrue, mapOf, textOf, type Value, type ValueMap } from './values.js';

/** Services of one project. */
const MAX_SERVICES = 1_000;
/** Drivers whose networks are bridges. */
const BRIDGES = ['bridge', 'default'];

interface ProjectContext {
  readonly name: string;
  /** Names of services in the order of the files; others follow by name. */
  readonly order: readonly string[];
  readonly unsetVariables: readonly string[];
  readonly placeOf: (path: readonly string[]) => ComposePlace | undefined;
  readonly extrasOf: (service: string) => ServiceExtras;
}

/** @throws MeshError `compose-invalid` */
export function toComposeProject(project: ValueMap, context: ProjectContext): ComposeProject {
  const { placeOf } = context;
  const entries = Object.entries(mapOf(project['services'])).sort(byOrder(context.order));
  if (entries.length > MAX_SERVICES) {
    throw composeInvalid(`expected at most ${MAX_SERVICES} services but got ${entries.length}`);
  }
  const services = entries.map(([name, value]) => {
    const at = placeOf(['services', name]);
    if (!isMap(value)) {
      throw composeInvalid(`expected settings of service ${shownName(name)} but got none`, { at });
    }
    return toService(name, value, { placeOf, ...context.extrasOf(name) });
  });
  const used = new Set(services.flatMap((service) => [...service.networks.keys()]));
  const declared = mapOf(project['networks']);
  const networks = [...used].sort().map((name): [string, ComposeNetwork] => {
    return [name, toNetwork(name, declared[name] ?? null, context.name)];
  });
  return {
    name: context.name,
    services: new Map(withSharedDockerfiles(services).map((service) => [service.name, service])),
    networks: new Map(networks),
    settings: project['x-countersign'],
    unsetVariables: [...context.unsetVariables].sort(),
  };
}

/** What one service builds under an image's name is what others of that image run. */
function withSharedDockerfiles(services: readonly ComposeService[]): ComposeService[] {
  const built = new Map(
    services.map(({ image, dockerfile }) => [dockerfile === undefined ? '' : image, dockerfile]),
  );
  return services.map((service) => {
    const { image, dockerfile } = service;
    const shared = image === undefined ? undefined : built.get(image);
    return dockerfile === undefined && shared !== undefined
      ? { ...service, dockerfile: shared }
      : service;
  });
}

function byOrder(order: readonly string[]): (a: [string, Value], b: [string, Value]) => number {
  const places = new Map(order.map((name, i) => [name, i]));
  const placeOf = (name: string): number => places.get(name) ?? order.length;
  return ([a], [b]) => placeOf(a) - placeOf(b) || (a < b ? -1 : 1);
}

function toNetwork(key: string, value: Value, project: string): ComposeNetwork {
  const { internal, external, driver, name: said } = mapOf(value);
  const isExternal = isTrue(external) || isMap(external);
  const given = textOf(said) ?? textOf(mapOf(external)['name']) ?? (isExternal ? key : undefined);
  const isOwn = given === undefined || given === `${project}_${key}`;
  const name = textOf(driver) ?? '';
  return {
    engineName: isOwn ? `\${COMPOSE_PROJECT_NAME}_${key}` : given.replaceAll('$', () => '$$'),
    isInternal: isTrue(internal),
    isExternal,
    driver: name === '' || BRIDGES.includes(name) ? undefined : name,
  };
}
