// docker-compose.mesh.yml: what is added to the user's compose file, and what is taken back of it.
// It is ours alone, and written anew each time.
import { block } from './blocks.js';
import { toFronted } from './fronted.js';
import { holderAnchor, toHeld } from './holder.js';
import { ADMIN_PORT, toReached } from './sidecar.js';
import type { LeftOutWiring, ServiceWiring, Wiring } from './wiring.js';
import { composeWord, flowList, indent, word } from './yaml-words.js';

export interface OverrideOptions {
  /** The user's files and this one, as one names them in the folder of the first of them. */
  readonly sources: readonly string[];
  readonly override: string;
  /** Where mesh.yaml is, from there: `.`, or a path that begins with a dot or a slash. */
  readonly meshFolder: string;
}

/** The first words of every override. */
const HEADER = '# Made by `countersign compose`';
const DEFAULT_IMAGE = 'countersign:latest';
/** Whoever runs our containers; the image has the same. */
const USER = '10001:10001';

/** The whole file. */
export function toOverride(wiring: Wiring, options: OverrideOptions): string {
  const sections = [
    header(options),
    [...sharedParts(wiring), ''],
    ['services:', ...indent(toServices(wiring, options), 2)],
    ['networks:', ...indent(toNetworks(wiring), 2)],
    ['volumes:', ...indent(toVolumes(wiring), 2)],
  ];
  return `${sections.flat().join('\n')}\n`;
}

function header({ sources, override }: OverrideOptions): readonly string[] {
  const files = [...sources, override].map((file) => `-f ${file}`).join(' ');
  return [
    `${HEADER} from ${sources.join(', ')}. Don't edit it: the next run writes it anew.`,
    '# Who may talk to whom, and how strictly, stands in mesh.yaml, which is yours.',
    '#',
    `#   docker compose ${files} up -d`,
    '#',
    '# Needs Docker Compose 2.24.4 or later (`!override`, `!reset`). A service is alone with its',
    '# sidecar on a network of the two; the sidecar has its place on the networks of the compose',
    '# file: its names, and the ports that it publishes.',
    '',
  ];
}

function sharedParts({ plan, server, services }: Wiring): readonly string[] {
  const image = composeWord(plan.image ?? DEFAULT_IMAGE);
  const hardened = [
    'read_only: true',
    'cap_drop: [ALL]',
    'security_opt: ["no-new-privileges:true"]',
  ];
  // Envoy's own word that it has everything of the server that it needs.
  const request = 'GET /ready HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n';
  const connect = `exec 3<>/dev/tcp/127.0.0.1/${ADMIN_PORT}`;
  const ask = `${connect} && printf '${request}' >&3 && grep -q LIVE <&3`;
  return [
    "# Makes a sidecar's bootstrap and token, and leaves a token alone that is there.",
    'x-countersign-identity: &identity',
    ...indent(
      [
        `image: ${image}`,
        ...hardened,
        'network_mode: none',
        'healthcheck: { disable: true }',
        `depends_on: { ${word(server)}: { condition: service_healthy } }`,
      ],
      2,
    ),
    '',
    'x-countersign-sidecar: &sidecar',
    ...indent(
      [
        'image: envoyproxy/envoy:v1.40-latest',
        'entrypoint: [/identity/run.sh]',
        'command: [--concurrency, "2"]',
        `user: ${word(USER)}`,
        ...hardened,
        'restart: unless-stopped',
        'healthcheck:',
        `  test: [CMD, bash, -c, ${JSON.stringify(ask)}]`,
        '  interval: 3s',
        '  timeout: 3s',
        '  retries: 20',
      ],
      2,
    ),
    ...(services.some(({ holder }) => holder !== undefined)
      ? ['', ...holderAnchor(composeWord(toCaptureImage(plan.image)))]
      : []),
  ];
}

/** The image with nftables: the tag `capture` of the same repository. */
function toCaptureImage(image = DEFAULT_IMAGE): string {
  return `${image.replace(/:[^/:]*$/, '')}:capture`;
}

function toServices(wiring: Wiring, options: OverrideOptions): string[] {
  return [
    ...toServer(wiring, options),
    ...wiring.services.flatMap((one) => ['', ...toService(one, wiring)]),
    ...wiring.leftOut.flatMap(toLeftOut),
  ];
}

function toServer({ plan, server, network }: Wiring, { meshFolder }: OverrideOptions): string[] {
  return block(`${word(server)}:`, [
    `image: ${composeWord(plan.image ?? DEFAULT_IMAGE)}`,
    'init: true',
    'restart: unless-stopped',
    'read_only: true',
    'cap_drop: [ALL]',
    'security_opt: ["no-new-privileges:true"]',
    `networks: [${word(network)}]`,
    '# The folder, not the file: an editor replaces the file by another of the same name.',
    `volumes: ["countersign-data:/data", ${composeWord(`${meshFolder}:/mesh:ro`)}]`,
    'environment: { COUNTERSIGN_MESH: /mesh/mesh.yaml }',
  ]);
}

function toService(one: ServiceWiring, wiring: Wiring): string[] {
  const { holder } = one;
  return holder === undefined ? toFronted(one, wiring) : toHeld({ ...one, holder }, wiring);
}

function toLeftOut({ leftOut, alias, reached }: LeftOutWiring): string[] {
  if (alias === undefined && reached.length === 0) return [];
  const own = alias === undefined ? [] : leftOut.networks;
  return [
    '',
    ...block(`${word(leftOut.compose)}:`, [
      'networks:',
      ...indent(
        [
          ...own.map(({ name }) => `${word(name)}: { aliases: ${flowList([alias ?? ''])} }`),
          ...toReached(reached, leftOut.networks),
        ],
        2,
      ),
    ]),
  ];
}

function toNetworks({ network, services }: Wiring): string[] {
  const own = services.flatMap(({ isInternal, slots, direct }) =>
    [...slots, ...direct].flatMap(
      ({ network: name, subnet: { subnet, gateway, applications } }) => {
        const range = `subnet: ${subnet}, gateway: ${gateway}, ip_range: ${applications}`;
        return block(`${word(name)}:`, [
          ...(isInternal ? ['internal: true'] : []),
          `ipam: { config: [{ ${range} }] }`,
        ]);
      },
    ),
  );
  return [
    '# Where the sidecars and the server meet.',
    `${word(network)}: { internal: true }`,
    ...own,
  ];
}

function toVolumes({ services }: Wiring): string[] {
  return ['countersign-data: {}', ...services.map(({ volume }) => `${word(volume)}: {}`)];
}

/** Whether that text is one of ours. */
export function isOverride(text: string): boolean {
  return text.startsWith(HEADER);
}
