// Proxies that read the Docker socket call the container that has their labels or variables: these
// go over to the sidecar, with the port and the network where nothing says them.
import type { ComposeProject, ComposeService } from '../project/index.js';
import { isSocketProxy } from './discovery.js';
import type { PlannedPort } from './mesh-plan.js';
import { shareNetwork } from './reach.js';
import { shortName } from './texts.js';

const LABELS = /^(traefik\.|caddy)/i;
const VIRTUAL = 'VIRTUAL_(?:HOST|PORT|PATH|DEST|PROTO|HOST_MULTIPORTS|NETWORK)';
const LETSENCRYPT = 'LETSENCRYPT_(?:HOST|EMAIL|TEST)';
const VARIABLES = new RegExp(`^(?:${VIRTUAL}|${LETSENCRYPT}|NETWORK_ACCESS|HTTPS_METHOD)$`);

interface MovedKeys {
  readonly labels: ReadonlyMap<string, string>;
  readonly environment: ReadonlyMap<string, string>;
  readonly remarks: readonly string[];
}

interface MovedContext {
  readonly ports: readonly PlannedPort[];
  readonly project: ComposeProject;
}

export function toMovedKeys(service: ComposeService, { ports, project }: MovedContext): MovedKeys {
  const labels = new Map([...service.labelTexts].filter(([label]) => LABELS.test(label)));
  const environment = new Map(
    [...service.environmentTexts].filter(([name]) => VARIABLES.test(name)),
  );
  const lost = [...service.environment.keys()].filter((name) => {
    return VARIABLES.test(name) && !environment.has(name);
  });
  const remarks = lost.map((name) => {
    return `A proxy in front reads ${name} of the sidecar: write it at environment.`;
  });
  const port = (ports.find(({ protocol }) => protocol === 'http') ?? ports[0])?.number;
  // Both proxies would take the port that the sidecar's image exposes.
  if (port !== undefined && environment.has('VIRTUAL_HOST') && !environment.has('VIRTUAL_PORT')) {
    environment.set('VIRTUAL_PORT', String(port));
  }
  if (isTraefik(labels)) addTraefik(labels, { service, port, project });
  return { labels, environment, remarks };
}

function isTraefik(labels: ReadonlyMap<string, string>): boolean {
  const isOff = labels.get('traefik.enable')?.toLowerCase() === 'false';
  return !isOff && [...labels.keys()].some((label) => /^traefik\./i.test(label));
}

interface TraefikContext {
  readonly service: ComposeService;
  readonly port: number | undefined;
  readonly project: ComposeProject;
}

function addTraefik(labels: Map<string, string>, { service, port, project }: TraefikContext): void {
  const keys = [...labels.keys()];
  const isTcp = keys.some((label) => /^traefik\.tcp\./i.test(label));
  const isSaid = keys.some((label) => /\.loadbalancer\.server\.port$/i.test(label));
  if (!isTcp && !isSaid && port !== undefined) {
    const named = keys.flatMap((label) => {
      return /^traefik\.http\.services\.([^.]+)\./i.exec(label)?.[1] ?? [];
    });
    const name = named[0] ?? shortName(service.name).replaceAll(/[^\w-]/g, '-');
    labels.set(`traefik.http.services.${name}.loadbalancer.server.port`, String(port));
  }
  if (!labels.has('traefik.docker.network')) {
    const network = proxyNetwork(service, project);
    if (network !== undefined) labels.set('traefik.docker.network', network);
  }
}

/** The engine's name of the network on which the proxy calls: the sidecar is on more than one. */
function proxyNetwork(service: ComposeService, project: ComposeProject): string | undefined {
  const proxies = [...project.services.values()].filter((other) => {
    return isSocketProxy(other) && shareNetwork(service, other);
  });
  const networks = [...service.networks.keys()];
  const shared = networks.find((name) => proxies.some((proxy) => proxy.networks.has(name)));
  const name = shared ?? (networks.length === 1 ? networks[0] : undefined);
  return name === undefined ? undefined : project.networks.get(name)?.engineName;
}
