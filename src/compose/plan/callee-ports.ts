// On which TCP ports a service is called, in a fixed order of evidence (FACTS.md: what callers say
// is right more often than what images are known for), and the protocol of each.
import type { ComposeService } from '../project/index.js';
import { knownImageOf } from './known-images.js';
import { type Mention, mentionedPort } from './mentions.js';
import type { PlannedPort } from './mesh-plan.js';
import {
  commandPorts,
  healthPorts,
  imagePorts,
  type PortHint,
  proxyPorts,
  variablePorts,
} from './own-ports.js';
import { guessProtocol } from './protocol.js';
import type { ServiceSettings } from './settings.js';
import { shortName } from './texts.js';

export interface CalleeContext {
  readonly settings: ServiceSettings;
  /** What others say of it. */
  readonly mentions: readonly Mention[];
  readonly isJob: boolean;
  /** All names that it has anywhere; lower case. */
  readonly names: ReadonlySet<string>;
  /** What its image exposes, where an engine could tell. */
  readonly exposed: readonly number[];
}

/** Sorted by number. */
export function calleePorts(service: ComposeService, context: CalleeContext): PlannedPort[] {
  const { settings } = context;
  const said = Object.entries(settings.ports ?? {}).map(([port, protocol]): PlannedPort => {
    return { number: Number(port), protocol, evidence: 'x-countersign' };
  });
  const published = publishedPorts(service);
  const found = settings.ports === undefined ? findPorts(service, context) : published;
  const byNumber = new Map<number, PortHint>();
  for (const hint of found) {
    const first = byNumber.get(hint.number);
    if (first === undefined) byNumber.set(hint.number, hint);
  }
  const chosen = new Set(said.map(({ number }) => number));
  const guessed = [...byNumber.values()]
    .filter(({ number }) => !chosen.has(number))
    .map(({ number, evidence }): PlannedPort => {
      const guess = guessProtocol(number, service, {
        ...context,
        hints: allHints(service, context),
      });
      const why = guess.evidence === evidence ? '' : `; ${guess.protocol}: ${guess.evidence}`;
      return { number, protocol: guess.protocol, evidence: `${evidence}${why}` };
    });
  return [...said, ...guessed].sort((a, b) => a.number - b.number);
}

function findPorts(service: ComposeService, context: CalleeContext): PortHint[] {
  const { mentions, isJob, names, exposed } = context;
  const mentioned = mentions.flatMap((mention): PortHint[] => {
    const number = mentionedPort(mention);
    return number === undefined
      ? []
      : [{ number, protocol: undefined, evidence: mention.evidence }];
  });
  const health = healthPorts(service, names);
  const stated = [
    ...mentioned,
    ...exposedPorts(service),
    ...publishedPorts(service),
    ...proxyPorts(service),
    ...health,
  ];
  const isNamedOnly = mentions.some((mention) => mentionedPort(mention) === undefined);
  const own = [...variablePorts(service), ...commandPorts(service)];
  const usual = isJob ? [] : imagePorts(service);
  const main = usual.slice(0, 1);
  // A name without a port means the usual one, unless the service says another itself.
  const implied = isNamedOnly && own.length === 0 && health.length === 0 ? main : [];
  if (stated.length > 0) return [...stated, ...implied];
  if (own.length > 0) return own;
  if (usual.length > 0) return usual;
  const build = service.dockerfile?.exposed ?? [];
  const numbers = build.length > 0 ? build : exposed;
  const what = build.length > 0 ? 'Dockerfile' : 'image';
  const evidence = `EXPOSE in the ${what} of ${shortName(service.name)}`;
  return numbers.map((number) => ({ number, protocol: undefined, evidence }));
}

function exposedPorts({ name, expose }: ComposeService): PortHint[] {
  const evidence = `expose of ${shortName(name)}`;
  return expose.map((number) => ({ number, protocol: undefined, evidence }));
}

function publishedPorts({ name, ports }: ComposeService): PortHint[] {
  const evidence = `ports of ${shortName(name)}`;
  return ports
    .filter(({ protocol }) => protocol === 'tcp')
    .map(({ target }) => ({ number: target, protocol: undefined, evidence }));
}

/** Whatever says something about a protocol. */
function allHints(service: ComposeService, { names }: CalleeContext): PortHint[] {
  return [...proxyPorts(service), ...healthPorts(service, names), ...variablePorts(service)];
}

export function isDatabase(service: ComposeService): boolean {
  return knownImageOf(service)?.role === 'database';
}
