// A service whose sidecar is in front of it: the application is alone with it on networks of the
// two, and the sidecar has its place on the networks of the compose file.
import { block, entries } from './blocks.js';
import {
  linkedOrder,
  sidecarParts,
  takenBack,
  toIdentity,
  toPlaces,
  toPublished,
  toReached,
} from './sidecar.js';
import type { ServiceWiring, Wiring } from './wiring.js';
import { flowList, indent, word } from './yaml-words.js';

export function toFronted(one: ServiceWiring, wiring: Wiring): string[] {
  return [...toApplication(one), ...toIdentity(one, wiring), ...toSidecar(one, wiring)];
}

/** What is taken back of the user's own container, and its place on our networks. */
function toApplication(wiring: ServiceWiring): string[] {
  const { service, sidecar, application, ownNames, slots, direct, reached } = wiring;
  const [first, ...others] = slots;
  const aliases = flowList([application, ...ownNames]);
  const { movedLabels, movedEnvironment } = service;
  const order = [...linkedOrder(service), `${word(sidecar)}: { condition: service_healthy }`];
  return block(`${word(service.compose)}:`, [
    'networks: !override',
    ...indent(
      [
        `${word(first?.network ?? '')}: { aliases: ${aliases} }`,
        ...[...others, ...direct].map(({ network }) => `${word(network)}: {}`),
        ...toReached(reached, service.networks),
      ],
      2,
    ),
    ...(service.published.length > 0 ? ['ports: !reset []'] : []),
    ...(service.hasLinks ? ['links: !reset []'] : []),
    ...takenBack('labels', movedLabels),
    ...takenBack('environment', movedEnvironment),
    `depends_on: { ${order.join(', ')} }`,
  ]);
}

function toSidecar(one: ServiceWiring, wiring: Wiring): string[] {
  const { service, sidecar, slots } = one;
  return block(`${word(sidecar)}:`, [
    ...sidecarParts(one, wiring),
    "# Ports below 1024 are anybody's.",
    'sysctls: { net.ipv4.ip_unprivileged_port_start: 0 }',
    ...entries('environment', service.movedEnvironment),
    ...toPublished(service.published),
    'networks:',
    ...indent(
      [
        ...slots.map(
          ({ network, subnet, names }) =>
            `${word(network)}: { ipv4_address: ${subnet.sidecar}, aliases: ${flowList(names)} }`,
        ),
        ...toPlaces(service.networks),
        `${word(wiring.network)}: {}`,
      ],
      2,
    ),
  ]);
}
