// One service in the form that the plan is made of, whatever forms its file has: what our own
// reader merged, or what Compose prints.
import type { ComposePlace } from './compose-error.js';
import { composeInvalid, shownName } from './compose-error.js';
import type {
  ComposePort,
  ComposeService,
  Condition,
  ConfigFile,
  DockerfileFacts,
  ServiceNetwork,
} from './compose-project.js';
import { toPairs, toTexts } from './environment.js';
import { InterpolationError, interpolate, type Lookup } from './interpolate.js';
import { portKey, sortPorts, toExposed, toPorts } from './ports.js';
import {
  isMap,
  isTrue,
  listOf,
  mapOf,
  textOf,
  textsOf,
  type Value,
  type ValueMap,
} from './values.js';
import { toMount } from './volumes.js';
import { toWords } from './words.js';

/** Keys that have a field of their own, or none of whose values matters to a mesh. */
const KNOWN_KEYS: ReadonlySet<string> = new Set([
  ...['image', 'build', 'command', 'entrypoint', 'environment', 'env_file', 'ports', 'expose'],
  ...['depends_on', 'healthcheck', 'networks', 'network_mode', 'container_name', 'hostname'],
  ...['links', 'extra_hosts', 'user', 'privileged', 'cap_add', 'restart', 'scale', 'profiles'],
  ...['labels', 'label_file', 'volumes', 'extends'],
]);

export interface ServiceExtras {
  readonly dockerfile: DockerfileFacts | undefined;
  readonly configFiles: readonly ConfigFile[];
  /** The service as its author wrote it, variables and all. */
  readonly written: ValueMap | undefined;
  /** The variables in force, for what is written. */
  readonly lookup: Lookup;
}

interface ServiceContext extends ServiceExtras {
  readonly placeOf: (path: readonly string[]) => ComposePlace | undefined;
}

/** @throws MeshError `compose-invalid` */
export function toService(name: string, value: ValueMap, context: ServiceContext): ComposeService {
  const fail = (key: string, message: string): never => {
    const at = context.placeOf(['services', name, key]);
    throw composeInvalid(`services.${name}.${key}: ${message}`, { at });
  };
  const networkMode = nonEmpty(value['network_mode']);
  const ports = listOf(value['ports']).flatMap((entry) => {
    return toPorts(entry) ?? fail('ports', `expected a port but got ${shown(entry)}`);
  });
  const exposed = listOf(value['expose']).flatMap((entry) => {
    return toExposed(entry) ?? fail('expose', `expected a port but got ${shown(entry)}`);
  });
  const links = toLinks(value['links']);
  const labels = toLabels(value['labels']);
  const environment = toTexts(value['environment']);
  return {
    name,
    image: nonEmpty(value['image']),
    isBuilt: value['build'] !== undefined && value['build'] !== null,
    dockerfile: context.dockerfile,
    command: toCommand(value['command']),
    entrypoint: toCommand(value['entrypoint']),
    environment,
    ports: sortPorts(withTexts(ports, context)),
    expose: [...new Set(exposed)].sort((a, b) => a - b),
    exposesUdp: textsOf(value['expose']).some((text) => /\/(udp|sctp)$/i.test(text)),
    dependsOn: toDependencies(value, links),
    healthcheck: toHealthcheck(value['healthcheck']),
    networks: networkMode === undefined ? toNetworks(value['networks']) : new Map(),
    networkMode,
    containerName: nonEmpty(value['container_name']),
    hostname: nonEmpty(value['hostname']),
    links,
    extraHosts: toExtraHosts(value['extra_hosts']),
    user: nonEmpty(value['user']),
    isPrivileged: isTrue(value['privileged']),
    capAdd: textsOf(value['cap_add']),
    restart: nonEmpty(value['restart']),
    replicas: toReplicas(value),
    profiles: textsOf(value['profiles']),
    labels,
    labelTexts: toComposeTexts(labels, toLabels(context.written?.['labels'])),
    environmentTexts: toComposeTexts(environment, toTexts(context.written?.['environment'])),
    binds: toBinds(value['volumes']),
    configFiles: context.configFiles,
    settings: value['x-countersign'],
    otherKeys: toOtherKeys(value),
  };
}

/** An empty text says nothing. */
function nonEmpty(value: Value | undefined): string | undefined {
  return textOf(value) || undefined;
}

/** Short forms with variables stay as they were written, where each is one port. */
function withTexts(
  ports: readonly ComposePort[],
  { written, lookup }: ServiceExtras,
): ComposePort[] {
  const texts = new Map<string, string>();
  for (const entry of textsOf(written?.['ports']).filter((text) => text.includes('$'))) {
    const [port, second] = toPorts(replaced(entry, lookup)) ?? [];
    if (port !== undefined && second === undefined) texts.set(portKey(port), entry);
  }
  return ports.map((port) => ({ ...port, raw: texts.get(portKey(port)) ?? port.raw }));
}

function replaced(text: string, lookup: Lookup): string {
  try {
    return interpolate(text, { lookup, onUnset: () => {} });
  } catch (error) {
    if (error instanceof InterpolationError) return '';
    throw error;
  }
}

function shown(entry: Value): string {
  return shownName(textOf(entry) ?? JSON.stringify(entry));
}

function toCommand(value: Value | undefined): readonly string[] | undefined {
  if (value === undefined || value === null) return undefined;
  return typeof value === 'string' ? toWords(value) : textsOf(value);
}

const CONDITIONS: readonly Condition[] = [
  'service_started',
  'service_healthy',
  'service_completed_successfully',
];

/** With what links and borrowed namespaces and volumes imply, as Compose has it. */
function toDependencies(
  value: ValueMap,
  links: ReadonlyMap<string, string>,
): ReadonlyMap<string, Condition> {
  const said = value['depends_on'];
  const named: [string, Condition][] = isMap(said)
    ? Object.entries(said).map(([name, how]) => [name, toCondition(mapOf(how)['condition'])])
    : textsOf(said).map((name) => [name, 'service_started']);
  const dependencies = new Map(named);
  const shared = ['network_mode', 'ipc', 'pid', 'uts', 'cgroup'].flatMap((key) => {
    return /^service:(.*)$/.exec(textOf(value[key]) ?? '')?.[1] ?? [];
  });
  const volumes = textsOf(value['volumes_from']).filter((text) => !text.startsWith('container:'));
  const from = volumes.map((text) => text.split(':', 1)[0] ?? '');
  for (const name of [...links.values(), ...shared, ...from]) {
    if (!dependencies.has(name)) dependencies.set(name, 'service_started');
  }
  return new Map([...dependencies].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function toCondition(value: Value | undefined): Condition {
  return CONDITIONS.find((condition) => condition === value) ?? 'service_started';
}

function toHealthcheck(value: Value | undefined): readonly string[] | undefined {
  const { test, disable } = mapOf(value);
  if (isTrue(disable)) return undefined;
  if (typeof test === 'string') return [test];
  const [kind, ...words] = textsOf(test);
  return kind === undefined || kind === 'NONE' ? undefined : words;
}

function toNetworks(value: Value | undefined): ReadonlyMap<string, ServiceNetwork> {
  const entries: [string, Value][] = isMap(value)
    ? Object.entries(value)
    : textsOf(value).map((name) => [name, null]);
  if (entries.length === 0) entries.push(['default', null]);
  const networks = entries.map(([name, how]): [string, ServiceNetwork] => {
    const settings = mapOf(how);
    const addresses = [settings['ipv4_address'], settings['ipv6_address']];
    return [
      name,
      {
        aliases: [...new Set(textsOf(settings['aliases']))],
        staticAddresses: addresses.flatMap((address) => textOf(address) ?? []),
      },
    ];
  });
  return new Map(networks.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** `db:database`, or `db` under its own name. */
function toLinks(value: Value | undefined): ReadonlyMap<string, string> {
  return new Map(
    textsOf(value).map((link) => {
      const [service = '', name = service] = link.split(':', 2);
      return [name, service];
    }),
  );
}

/** `name=address`, as Compose prints them. */
function toExtraHosts(value: Value | undefined): string[] {
  if (isMap(value)) {
    return Object.entries(value).flatMap(([name, addresses]) => {
      return textsOf(addresses).map((address) => `${name}=${address}`);
    });
  }
  return textsOf(value).map((text) => (text.includes('=') ? text : text.replace(':', '=')));
}

function toReplicas(value: ValueMap): number {
  const deploy = mapOf(value['deploy']);
  const count = Number(textOf(value['scale']) ?? textOf(deploy['replicas']) ?? 1);
  return Number.isSafeInteger(count) && count >= 0 ? count : 1;
}

function toLabels(value: Value | undefined): ReadonlyMap<string, string> {
  return new Map([...toPairs(value)].map(([key, text]) => [key, text ?? '']));
}

/** Values as they were written; of those that weren't there, none. */
function toComposeTexts(
  values: ReadonlyMap<string, string>,
  written: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const texts = [...written].filter(([key]) => values.has(key));
  return new Map(texts.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function toBinds(value: Value | undefined): string[] {
  return listOf(value)
    .map(toMount)
    .flatMap(({ type, source }) => (type === 'bind' && source !== undefined ? [source] : []));
}

function toOtherKeys(value: ValueMap): ReadonlySet<string> {
  const others = Object.entries(value).filter(
    ([key, inner]) => !KNOWN_KEYS.has(key) && !key.startsWith('x-') && !isEmpty(inner),
  );
  return new Set(others.map(([key]) => key).sort());
}

/** What says nothing: Compose prints it or not. */
function isEmpty(value: Value): boolean {
  if (value === null || value === false || value === 'false' || value === '') return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}
