// Whom a service may call: whom its settings, links and dependencies name, and by open default all
// others that share a network with it. No edge goes where no common network is.
import type { ComposeProject, ComposeService } from '../project/index.js';
import { knownImageOf } from './known-images.js';
import type { Mention } from './mentions.js';
import type { PlannedCall } from './mesh-plan.js';
import { shareNetwork } from './reach.js';
import type { ServiceSettings } from './settings.js';
import { shortName } from './texts.js';

interface CallsContext {
  readonly project: ComposeProject;
  readonly settings: ServiceSettings;
  /** Of the whole project. */
  readonly mentions: readonly Mention[];
  /** Whether there is anything to call: a port, or a service that is reached directly. */
  readonly isCallable: (service: string) => boolean;
}

/** Those with evidence first, each in the order of the file. */
export function plannedCalls(service: ComposeService, context: CallsContext): PlannedCall[] {
  const { project, isCallable } = context;
  const others = [...project.services.values()].filter((other) => {
    return other !== service && shareNetwork(service, other) && isCallable(other.name);
  });
  const calls = others.map((other): PlannedCall => {
    return { callee: other.name, evidence: whyCalled(service, other.name, context) };
  });
  const role = knownImageOf(service)?.role ?? 'server';
  if (role !== 'server') return calls.filter(({ evidence }) => evidence !== undefined);
  return [
    ...calls.filter(({ evidence }) => evidence !== undefined),
    ...calls.filter(({ evidence }) => evidence === undefined),
  ];
}

/** Variables that a whole team shares name services at a database that calls none of them. */
function isOwnSetting(service: ComposeService, { variable }: Mention): boolean {
  const role = knownImageOf(service)?.role ?? 'server';
  if (variable === undefined || role === 'server') return true;
  return role === 'broker' && service.environmentTexts.has(variable);
}

function whyCalled(
  service: ComposeService,
  callee: string,
  { settings, mentions }: CallsContext,
): string | undefined {
  if (settings.calls?.includes(callee)) return 'x-countersign';
  const mention = mentions.find((one) => {
    return one.caller === service.name && one.callee === callee && isOwnSetting(service, one);
  });
  if (mention !== undefined) return mention.evidence;
  const of = `of ${shortName(service.name)}`;
  if ([...service.links.values()].includes(callee)) return `links ${of}`;
  return service.dependsOn.has(callee) ? `depends_on ${of}` : undefined;
}
