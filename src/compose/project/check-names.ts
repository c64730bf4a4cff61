// Names in a project that nothing declares. Compose refuses them too, where it read the files.
import type { ComposePlace } from './compose-error.js';
import { composeInvalid, shownName } from './compose-error.js';
import type { ComposeProject, ComposeService } from './compose-project.js';
import { isMap, listOf, mapOf, textOf, type Value, type ValueMap } from './values.js';
import { toMount } from './volumes.js';

interface CheckContext {
  readonly raw: ValueMap;
  readonly placeOf: (path: readonly string[]) => ComposePlace | undefined;
}

/** @throws MeshError `compose-invalid` */
export function checkNames(project: ComposeProject, context: CheckContext): void {
  for (const service of project.services.values()) {
    checkServices(service, { project, context });
    checkSections(service, context);
  }
  checkCircles(project, context);
}

interface Whole {
  readonly project: ComposeProject;
  readonly context: CheckContext;
}

function checkServices(service: ComposeService, { project, context }: Whole): void {
  const raw = mapOf(mapOf(context.raw['services'])[service.name]);
  const missing = (name: string): boolean => !project.services.has(name);
  const linked = [...service.links.values()].find(missing);
  if (linked !== undefined) throw dangling(service, { key: 'links', name: linked, context });
  const borrowed = /^service:(.*)$/.exec(service.networkMode ?? '')?.[1];
  if (borrowed !== undefined && missing(borrowed)) {
    throw dangling(service, { key: 'network_mode', name: borrowed, context });
  }
  if (
    service.networkMode !== undefined &&
    [...listOf(raw['networks']), ...Object.keys(mapOf(raw['networks']))].length > 0
  ) {
    const at = context.placeOf(['services', service.name, 'network_mode']);
    const message = `service ${shownName(service.name)} has both a network_mode and networks`;
    throw composeInvalid(message, { at });
  }
  const depends = mapOf(raw['depends_on']);
  const needed = [...service.dependsOn.keys()].filter((name) => {
    return mapOf(depends[name])['required'] !== false;
  });
  const absent = needed.find(missing);
  if (absent !== undefined) throw dangling(service, { key: 'depends_on', name: absent, context });
}

function checkSections(service: ComposeService, context: CheckContext): void {
  const raw = mapOf(mapOf(context.raw['services'])[service.name]);
  const declared = (section: string): ValueMap => mapOf(context.raw[section]);
  const network = [...service.networks.keys()].find((name) => {
    return name !== 'default' && !(name in declared('networks'));
  });
  if (network !== undefined) throw dangling(service, { key: 'networks', name: network, context });
  const volumes = listOf(raw['volumes']).map(toMount);
  const volume = volumes.find(({ type, source }) => {
    return type === 'volume' && source !== undefined && !(source in declared('volumes'));
  });
  if (volume?.source !== undefined) {
    throw dangling(service, { key: 'volumes', name: volume.source, context });
  }
  for (const key of ['secrets', 'configs']) {
    const name = listOf(raw[key])
      .map(sourceOf)
      .find((source) => source !== '' && !(source in declared(key)));
    if (name !== undefined) throw dangling(service, { key, name, context });
  }
}

function sourceOf(entry: Value): string {
  return textOf(isMap(entry) ? entry['source'] : entry) ?? '';
}

const WHAT: Readonly<Record<string, string>> = {
  networks: 'network',
  volumes: 'volume',
  secrets: 'secret',
  configs: 'config',
};

function dangling(
  service: ComposeService,
  { key, name, context }: { key: string; name: string; context: CheckContext },
): Error {
  const what = WHAT[key] ?? 'service';
  const at = context.placeOf(['services', service.name, key]);
  const whose = `${key} of service ${shownName(service.name)}`;
  if (name === '') return composeInvalid(`${whose} has an entry without a name`, { at });
  return composeInvalid(`${whose} names a ${what} that isn't there: ${shownName(name)}`, { at });
}

function checkCircles({ services }: ComposeProject, { placeOf }: CheckContext): void {
  const done = new Set<string>();
  const open: string[] = [];
  const visit = (name: string): void => {
    if (open.includes(name)) {
      const circle = [...open.slice(open.indexOf(name)), name].join(', ');
      const at = placeOf(['services', name, 'depends_on']);
      throw composeInvalid(`expected an end of depends_on but got a circle: ${circle}`, { at });
    }
    if (done.has(name)) return;
    open.push(name);
    for (const needed of services.get(name)?.dependsOn.keys() ?? []) visit(needed);
    open.pop();
    done.add(name);
  };
  for (const name of services.keys()) visit(name);
}
