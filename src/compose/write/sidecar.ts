// What a sidecar is made of in either shape: the one-shot that makes its bootstrap, and itself.
import { createHash } from 'node:crypto';
import type { PlannedNetwork, PlannedService } from '../plan/index.js';
import type { ComposePort } from '../project/index.js';
import { block, entries, list, profiles } from './blocks.js';
import type { DirectWiring, ServiceWiring, Wiring } from './wiring.js';
import { composeValue, composeWord, flowList, word } from './yaml-words.js';

/** Of Envoy, on 127.0.0.1. */
export const ADMIN_PORT = 19000;
const XDS_PORT = 18000;

export function toIdentity(one: ServiceWiring, wiring: Wiring): string[] {
  const { service, identity, volume } = one;
  return block(`${word(identity)}:`, [
    '<<: *identity',
    ...profiles(service.profiles),
    `command: ${flowList(bootstrapCommand(one, wiring))}`,
    `volumes: ["countersign-data:/data", ${composeWord(`${volume}:/identity`)}]`,
  ]);
}

function bootstrapCommand(
  { service, slots, loopback, holder }: ServiceWiring,
  { server }: Wiring,
): string[] {
  const outbound = [
    ...slots.flatMap(({ subnet, callees }) =>
      callees.map((callee) => `${callee}=${subnet.sidecar}`),
    ),
    ...loopback.map(({ address, callee }) => `${callee}=${address}`),
  ];
  // It would listen for everybody, itself too, in the place of an application on all addresses.
  if (outbound.length === 0 && holder !== undefined) outbound.push('none');
  return [
    'bootstrap',
    service.name,
    '--instance=1',
    '--out=/identity',
    `--xds=${server}:${XDS_PORT}`,
    '--listen=any',
    ...(outbound.length === 0 ? [] : [`--outbound=${outbound.join(',')}`]),
    `--envoy-admin-port=${ADMIN_PORT}`,
  ];
}

export function sidecarParts(one: ServiceWiring, wiring: Wiring): string[] {
  const { service, identity, volume, holder } = one;
  const bootstrap = createHash('sha256').update(bootstrapCommand(one, wiring).join(' '));
  const waitsFor = [
    `${word(identity)}: { condition: service_completed_successfully }`,
    ...(holder === undefined
      ? []
      : [`${word(holder)}: { condition: service_healthy, restart: true }`]),
  ];
  return [
    '<<: *sidecar',
    ...profiles(service.profiles),
    `depends_on: { ${waitsFor.join(', ')} }`,
    `volumes: [${composeWord(`${volume}:/identity:ro`)}]`,
    ...entries(
      'labels',
      new Map([
        // So that Compose makes the container anew when its bootstrap is another one.
        ['countersign.bootstrap', bootstrap.digest('hex').slice(0, 12)],
        ...(holder === undefined ? service.movedLabels : []),
      ]),
    ),
  ];
}

/** Its place on the networks of the compose file, for whoever has it instead. */
export function toPlaces(networks: readonly PlannedNetwork[]): string[] {
  return networks.map(({ name, names, staticAddresses }) => {
    const fixed = staticAddresses.map((address) =>
      address.includes(':') ? `ipv6_address: "${address}", ` : `ipv4_address: ${address}, `,
    );
    return `${word(name)}: { ${fixed.join('')}aliases: ${flowList(names)} }`;
  });
}

/** Text is its author's, with the variables in it; the rest is as it was resolved. */
export function toPublished(published: readonly ComposePort[]): string[] {
  return list(
    'ports',
    published.map(({ raw }) => (typeof raw === 'string' ? word(raw) : composeValue(raw))),
  );
}

/** By all of its names. */
export function toReached(
  reached: readonly DirectWiring[],
  networks: readonly PlannedNetwork[],
): readonly string[] {
  const names = flowList([...new Set(networks.flatMap((one) => one.names))]);
  return reached.map(({ network }) => `${word(network)}: { aliases: ${names} }`);
}

/**
 * Compose starts those first to which a service has links: they are named where the links are taken
 * back.
 */
export function linkedOrder({ hasLinks, dependsOn }: PlannedService): string[] {
  if (!hasLinks) return [];
  return [...dependsOn].map(([name, condition]) => `${word(name)}: { condition: ${condition} }`);
}

/**
 * Readers of the Docker socket are to see them at the sidecar alone. Compose resets a key only
 * where its author wrote a map, and not a list; nginx-proxy takes an empty variable for none.
 */
export function takenBack(key: string, moved: ReadonlyMap<string, string>): string[] {
  const names = [...moved.keys()];
  const lines = names
    .filter((name) => !name.startsWith('traefik.'))
    .map((name) => `${word(name)}: ${key === 'labels' ? '!reset null' : '""'}`);
  if (lines.length < names.length) lines.push('traefik.enable: "false"');
  return lines.length === 0 ? [] : block(`${key}:`, lines);
}
