// A service whose network a holder keeps: a tiny container with the service's place on its
// networks, whose nftables rules lead what arrives to the sidecar. Application and sidecar share
// that network, and either may crash and find the other again.
import type { PlannedService } from '../plan/index.js';
import { block, entries, list, profiles } from './blocks.js';
import {
  linkedOrder,
  sidecarParts,
  takenBack,
  toIdentity,
  toPlaces,
  toPublished,
  toReached,
} from './sidecar.js';
import { lostKeys, type ServiceWiring, type Wiring } from './wiring.js';
import { composeWord, indent, word } from './yaml-words.js';

type Held = ServiceWiring & { readonly holder: string };

export function toHeld(one: Held, wiring: Wiring): string[] {
  return [
    ...toApplication(one),
    ...toHolder(one, wiring),
    ...toIdentity(one, wiring),
    ...block(`${word(one.sidecar)}:`, [
      ...sidecarParts(one, wiring),
      `network_mode: ${word(`service:${one.holder}`)}`,
    ]),
  ];
}

/** Keys that the engine refuses beside another container's network. */
function refusedKeys(service: PlannedService): string[] {
  const { hostname, extraHosts, hasLinks } = service;
  return [
    ...(hostname === undefined ? [] : ['hostname: !reset null']),
    ...(extraHosts.length === 0 ? [] : ['extra_hosts: !reset []']),
    ...(hasLinks ? ['links: !reset []'] : []),
    ...lostKeys(service).map((key) => `${key}: !reset null`),
  ];
}

function toApplication({ service, holder, sidecar }: Held): string[] {
  return block(`${word(service.compose)}:`, [
    `network_mode: ${word(`service:${holder}`)}`,
    'networks: !reset null',
    'ports: !reset []',
    'expose: !reset []',
    ...refusedKeys(service),
    ...takenBack('labels', service.movedLabels),
    ...takenBack('environment', service.movedEnvironment),
    'depends_on:',
    ...indent(
      [
        ...linkedOrder(service),
        // A holder that is restarted has another network: both join it anew.
        `${word(holder)}: { condition: service_healthy, restart: true }`,
        `${word(sidecar)}: { condition: service_healthy }`,
      ],
      2,
    ),
  ]);
}

function toHolder({ service, holder, loopback, reached }: Held, { network }: Wiring): string[] {
  const callees = loopback.flatMap(({ address, names }) =>
    names.map((name) => `${name}:${address}`),
  );
  const own = new Set(callees.map((entry) => entry.split(':')[0]));
  const given = service.extraHosts.filter((entry) => !own.has(entry.split(/[:=]/)[0]));
  return block(`${word(holder)}:`, [
    '<<: *holder',
    ...profiles(service.profiles),
    ...(service.hostname === undefined ? [] : [`hostname: ${composeWord(service.hostname)}`]),
    ...entries('labels', service.movedLabels),
    ...entries('environment', service.movedEnvironment),
    ...list('extra_hosts', [...callees, ...given].map(composeWord)),
    ...toPublished(service.published),
    'networks:',
    ...indent(
      [
        ...toPlaces(service.networks),
        ...toReached(reached, service.networks),
        `${word(network)}: {}`,
      ],
      2,
    ),
  ]);
}

/** What all holders have in common. */
export function holderAnchor(image: string): string[] {
  return block('x-countersign-holder: &holder', [
    `image: ${image}`,
    '# Whatever arrives goes to the sidecar; what leaves is led there by names.',
    'command: [capture, --sleep, --inbound-only]',
    'read_only: true',
    'cap_drop: [ALL]',
    '# To set the rules, and to become nobody afterwards.',
    'cap_add: [NET_ADMIN, SETUID, SETGID]',
    'security_opt: ["no-new-privileges:true"]',
    "# Ports below 1024 are anybody's.",
    'sysctls: { net.ipv4.ip_unprivileged_port_start: 0 }',
    'restart: unless-stopped',
  ]);
}
