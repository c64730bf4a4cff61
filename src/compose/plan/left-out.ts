// Why a service stays as it is, without a sidecar, and what to do about it.
import type { ComposeService } from '../project/index.js';
import { type DiscoveryContext, findDiscovery } from './discovery.js';
import type { LostName } from './mentions.js';
import type { PlannedPort } from './mesh-plan.js';
import { externalNetwork } from './reach.js';
import type { ServiceSettings } from './settings.js';
import { shortName } from './texts.js';

export interface LeftOutReason {
  readonly reason: string;
  readonly hint: string;
  /** Callers must reach it at its own addresses, whatever is known of its ports. */
  readonly isDirect: boolean;
}

interface LeftOutContext extends DiscoveryContext {
  readonly settings: ServiceSettings;
  /** Names that lead nowhere, of the whole project. */
  readonly lost: readonly LostName[];
  /** On which it is called. */
  readonly ports: readonly PlannedPort[];
  /** Somebody names it as a host, or links to it. */
  readonly isNamed: boolean;
  /** Somebody depends on it. */
  readonly isNeeded: boolean;
  readonly isJob: boolean;
}

type Rule = (service: ComposeService, context: LeftOutContext) => LeftOutReason | undefined;

/** The sidecar's own user, whose connections transparent capture lets pass. */
const SIDECAR_UID = '10001';
/** More listeners than a sidecar should have. */
const MAX_PORTS = 64;
const HOLDER_HINT =
  'x-countersign: { capture: transparent } meshes its TCP ports, and leaves the rest';

const switchedOff: Rule = (_, { settings }) => {
  if (!settings.isOff) return undefined;
  const hint = 'take x-countersign: false, or the label countersign.enable, away to mesh it';
  return { reason: 'the compose file says so', hint, isDirect: false };
};

const noContainer: Rule = ({ image, isBuilt }) => {
  if (image !== undefined || isBuilt) return undefined;
  const hint = 'another program provides it, outside of Docker';
  return { reason: 'it has no container', hint, isDirect: false };
};

const networkMode: Rule = ({ networkMode: mode }) => {
  if (mode === undefined) return undefined;
  if (mode === 'host') {
    const hint = 'give it networks instead, or mesh it as on a bare host (see the README)';
    return { reason: 'host network', hint, isDirect: false };
  }
  if (mode === 'none') {
    return { reason: 'no network', hint: 'it calls nobody, and nobody calls it', isDirect: false };
  }
  const [kind, name = ''] = mode.split(':', 2);
  if (kind === 'service' || kind === 'container') {
    const hint = 'give it networks of its own to mesh it';
    return { reason: `it borrows the network of ${shortName(name)}`, hint, isDirect: false };
  }
  const hint = 'name networks instead to mesh it';
  return { reason: `network mode ${shortName(mode)}`, hint, isDirect: false };
};

const lent: Rule = ({ name }, { project }) => {
  const borrower = [...project.services.values()].find((one) => {
    return one.networkMode === `service:${name}`;
  });
  if (borrower === undefined) return undefined;
  const hint = `give ${shortName(borrower.name)} networks of its own to mesh both`;
  return { reason: `it lends its network to ${shortName(borrower.name)}`, hint, isDirect: false };
};

const privileged: Rule = ({ isPrivileged, capAdd }) => {
  const hint = 'it can change the network that a sidecar guards: take that away to mesh it';
  if (isPrivileged) return { reason: 'privileged', hint, isDirect: false };
  const capability = capAdd.find((one) => /^(cap_)?(net_admin|sys_admin|all)$/i.test(one));
  if (capability === undefined) return undefined;
  return { reason: `capability ${capability.toUpperCase()}`, hint, isDirect: false };
};

const driver: Rule = ({ networks }, { project }) => {
  const found = [...networks.keys()].find((name) => {
    return project.networks.get(name)?.driver !== undefined;
  });
  if (found === undefined) return undefined;
  const kind = shortName(project.networks.get(found)?.driver ?? '');
  const hint = 'only bridge networks can be meshed';
  return { reason: `network ${shortName(found)} of driver ${kind}`, hint, isDirect: false };
};

const udp: Rule = ({ ports, exposesUdp }, { settings }) => {
  const found = ports.find(({ protocol }) => protocol !== 'tcp');
  const isThere = found !== undefined || exposesUdp;
  if (!isThere || settings.capture === 'transparent') return undefined;
  const what =
    found === undefined ? 'UDP ports' : `${found.protocol.toUpperCase()} port ${found.target}`;
  return { reason: what, hint: HOLDER_HINT, isDirect: true };
};

const staticAddress: Rule = ({ networks }, { settings }) => {
  const isStatic = [...networks.values()].some((one) => one.staticAddresses.length > 0);
  if (!isStatic || settings.capture === 'transparent') return undefined;
  const hint = 'x-countersign: { capture: transparent } keeps it, or take the address away';
  return { reason: 'static address', hint, isDirect: false };
};

/** From a network of its own it would no longer reach that address. */
const dialsAddress: Rule = ({ name }, { mentions, settings }) => {
  const found = mentions.find((one) => one.caller === name && one.isAddress);
  if (found === undefined || settings.capture === 'transparent') return undefined;
  const callee = shortName(found.callee);
  const hint = `have it call ${callee} by name, or x-countersign: { capture: transparent }`;
  return { reason: `it calls ${callee} at a fixed address`, hint, isDirect: false };
};

const externalLinks: Rule = ({ otherKeys }) => {
  if (!otherKeys.has('external_links')) return undefined;
  const hint = 'take external_links away to mesh it: they lead to containers of other projects';
  return { reason: 'it has external_links', hint, isDirect: false };
};

/** From a network of its own it would no longer reach what isn't in this project. */
const otherProject: Rule = (service, { project, lost, settings }) => {
  const network = externalNetwork(service, project);
  const found = lost.find(({ caller, callee }) => caller === service.name && callee === undefined);
  if (network === undefined || found === undefined || settings.capture !== undefined) {
    return undefined;
  }
  const name = shortName(network);
  return {
    reason: `${found.evidence} names a host of another project, on the external network ${name}`,
    hint: 'x-countersign: { capture: transparent } leaves it on that network',
    isDirect: false,
  };
};

const manyPorts: Rule = ({ ports, expose }) => {
  const tcp = ports.filter(({ protocol }) => protocol === 'tcp').map(({ target }) => target);
  const { size } = new Set([...tcp, ...expose]);
  if (size <= MAX_PORTS) return undefined;
  const hint = `a sidecar serves at most ${MAX_PORTS}: publish fewer`;
  return { reason: `${size} ports`, hint, isDirect: false };
};

const sidecarUser: Rule = ({ user }, { settings }) => {
  const isSame = user?.split(':', 1)[0] === SIDECAR_UID;
  if (!isSame || settings.capture !== 'transparent') return undefined;
  const hint = 'give it another user, or take capture: transparent away';
  return { reason: `it runs as the sidecar's user ${SIDECAR_UID}`, hint, isDirect: false };
};

const discovery: Rule = (service, context) => {
  if (context.settings.capture !== undefined) return undefined;
  const found = findDiscovery(service, context);
  return found === undefined ? undefined : { isDirect: true, ...found };
};

/** Work that is taken from elsewhere, and asked of nobody. */
const WORKER = new RegExp(
  [
    ...['worker', 'celery', 'cron', 'beat', 'scheduler', 'consumer', 'sidekiq', 'queue', 'runner'],
    ...['agent', 'collector', 'bot', 'promtail', 'telegraf', 'exporter', 'watch', 'sync', 'backup'],
    ...['ddns', 'updater', 'certbot', 'shipper'],
  ].join('|'),
  'i',
);

/**
 * It would be cut off from its callers: a sidecar serves known ports alone. Who has no port is
 * taken for a mere caller where something says that it calls, or is a worker.
 */
const unknownPort: Rule = (service, context) => {
  const { ports, isNamed, isNeeded, isJob, settings } = context;
  if (ports.length > 0 || isJob || settings.capture !== undefined) return undefined;
  const isCaller = !isNeeded && (settings.calls !== undefined || isCalling(service, context));
  if (!isNamed && (isCaller || isWorker(service, context))) return undefined;
  return {
    reason: 'nothing says on which port it is called',
    hint: 'name its ports to mesh it, as in x-countersign: { ports: { "8080": http } }',
    isDirect: true,
  };
};

/** It names others itself. */
function isCalling(service: ComposeService, { mentions }: LeftOutContext): boolean {
  return mentions.some(({ caller }) => caller === service.name);
}

/** By its words, a terminal to work in, or beside a service of the same image that is called. */
function isWorker(service: ComposeService, { project }: LeftOutContext): boolean {
  const words = [service.name, ...(service.command ?? [])].join(' ');
  const isTerminal = service.otherKeys.has('tty') || service.otherKeys.has('stdin_open');
  if (isTerminal || WORKER.test(words)) return true;
  return [...project.services.values()].some((other) => {
    const isSame = other.image !== undefined && other.image === service.image;
    return other !== service && isSame && other.ports.length + other.expose.length > 0;
  });
}

const RULES: readonly Rule[] = [
  switchedOff,
  noContainer,
  networkMode,
  lent,
  privileged,
  driver,
  discovery,
  udp,
  staticAddress,
  dialsAddress,
  externalLinks,
  otherProject,
  manyPorts,
  sidecarUser,
  unknownPort,
];

export function whyLeftOut(
  service: ComposeService,
  context: LeftOutContext,
): LeftOutReason | undefined {
  for (const rule of RULES) {
    const found = rule(service, context);
    if (found !== undefined) return found;
  }
  return undefined;
}
