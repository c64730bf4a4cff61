// A compose project as a mesh: the rules of this room, applied to each service in turn. Pure.
import type { ComposePort, ComposeProject, ComposeService } from '../project/index.js';
import { calleePorts } from './callee-ports.js';
import { plannedCalls } from './calls.js';
import { whyJob } from './jobs.js';
import { type LeftOutReason, whyLeftOut } from './left-out.js';
import { externalRemarks, lostRemarks } from './lost-names.js';
import { findMentions, type LostName, type Mention } from './mentions.js';
import { toMeshNames } from './mesh-names.js';
import type {
  LeftOut,
  MeshPlan,
  PlannedNetwork,
  PlannedPort,
  PlannedService,
  Shape,
} from './mesh-plan.js';
import { toMovedKeys } from './moved-keys.js';
import { namesOn, ReachIndex } from './reach.js';
import { remarksOf } from './remarks.js';
import { readFileSettings, readServiceSettings, type ServiceSettings } from './settings.js';
import { shortName } from './texts.js';

export interface PlanOptions {
  /** TCP ports that images expose, by the image's name in the file, where an engine could tell. */
  readonly exposed?: ReadonlyMap<string, readonly number[]>;
}

/** @throws MeshError `compose-invalid` where a setting for the mesh is wrong */
export function planMesh(project: ComposeProject, { exposed }: PlanOptions = {}): MeshPlan {
  const file = readFileSettings(project);
  const views = look(project, exposed ?? new Map());
  const names = toMeshNames(
    [...views.values()].map(({ service, settings }) => {
      return { compose: service.name, chosen: settings.name };
    }),
  );
  const planned = [...views.values()];
  return {
    project: project.name,
    trustDomain: file.trustDomain ?? toTrustDomain(project.name),
    subnets: file.subnets,
    image: file.image,
    services: planned
      .filter(({ leftOut }) => leftOut === undefined)
      .map((view) => toPlanned(view, { project, views, names })),
    leftOut: planned.flatMap((view) => toLeftOut(view, { project, names })),
    remarks: projectRemarks(project),
  };
}

/** What is found out about a service before others are looked at. */
interface View {
  readonly service: ComposeService;
  readonly settings: ServiceSettings;
  readonly leftOut: LeftOutReason | undefined;
  readonly ports: readonly PlannedPort[];
  readonly mentions: readonly Mention[];
  readonly lost: readonly LostName[];
}

interface Whole {
  readonly project: ComposeProject;
  readonly views: ReadonlyMap<string, View>;
  readonly names: ReadonlyMap<string, string>;
}

function look(
  project: ComposeProject,
  exposed: ReadonlyMap<string, readonly number[]>,
): ReadonlyMap<string, View> {
  const found = findMentions(project, new ReachIndex(project));
  const mentions = found.mentions.filter(({ caller, callee }) => caller !== callee);
  const services = [...project.services.values()];
  const views = services.map((service): [string, View] => {
    const settings = readServiceSettings(service, project);
    const named = mentions.filter(({ callee }) => callee === service.name);
    const isLinked = services.some((one) => [...one.links.values()].includes(service.name));
    const isNeeded = isLinked || services.some((one) => needs(one, service.name));
    const names = allNames(service);
    const isJob = whyJob(service, { project, settings }) !== undefined;
    const known = exposed.get(service.image ?? '') ?? [];
    const ports = calleePorts(service, {
      settings,
      mentions: named,
      isJob,
      names,
      exposed: known,
    });
    const leftOut = whyLeftOut(service, {
      ...{ project, mentions, namesOf: allNames, settings, ports, isNeeded },
      isNamed: isLinked || named.length > 0,
      lost: found.lost,
      isJob,
    });
    return [service.name, { service, settings, leftOut, ports, mentions, lost: found.lost }];
  });
  return new Map(views);
}

function needs(one: ComposeService, name: string): boolean {
  const condition = one.dependsOn.get(name);
  return condition !== undefined && condition !== 'service_completed_successfully';
}

function allNames(service: ComposeService): ReadonlySet<string> {
  const own = [...service.networks.keys()].flatMap((network) => namesOn(service, network));
  return new Set([service.name.toLowerCase(), ...own]);
}

function toPlanned(view: View, { project, views, names }: Whole): PlannedService {
  const { service, settings, ports, mentions } = view;
  const isTransparent = settings.capture === 'transparent';
  const shape: Shape = isTransparent && service.replicas <= 1 ? 'holder' : 'fronted';
  const job = whyJob(service, { project, settings });
  const moved = toMovedKeys(service, { ports, project });
  const calls = plannedCalls(service, {
    project,
    settings,
    mentions,
    isCallable: (name) => isCallable(views.get(name)),
  });
  return {
    compose: service.name,
    name: names.get(service.name) ?? service.name,
    shape,
    ports,
    calls,
    ownNames: new Map([...service.links].filter(([alias, callee]) => alias !== callee)),
    hasLinks: service.links.size > 0,
    networks: networksOf(service, project),
    published: publishedBy(service, shape),
    hostname: service.hostname,
    extraHosts: service.extraHosts,
    dependsOn: service.dependsOn,
    isJob: job !== undefined,
    replicas: service.replicas,
    profiles: service.profiles,
    movedLabels: moved.labels,
    movedEnvironment: moved.environment,
    otherKeys: service.otherKeys,
    remarks: [
      ...moved.remarks,
      ...lostRemarks(service.name, view.lost),
      ...externalRemarks(service, { project, shape }),
      ...remarksOf(service, {
        ports,
        shape,
        job,
        isHolderRefused: isTransparent && shape === 'fronted',
      }),
    ],
  };
}

function isCallable(view: View | undefined): boolean {
  if (view === undefined) return false;
  return view.ports.length > 0 || view.leftOut?.isDirect === true;
}

function networksOf(service: ComposeService, project: ComposeProject): PlannedNetwork[] {
  return [...service.networks].map(([name, { staticAddresses }]) => {
    const isInternal = project.networks.get(name)?.isInternal ?? false;
    return { name, isInternal, names: namesOn(service, name), staticAddresses };
  });
}

/** A sidecar in front takes TCP alone; a holder keeps all that the service had. */
function publishedBy({ ports }: ComposeService, shape: Shape): ComposePort[] {
  return ports.filter(({ protocol }) => shape === 'holder' || protocol === 'tcp');
}

function toLeftOut(view: View, { project, names }: Pick<Whole, 'project' | 'names'>): LeftOut[] {
  const { service, leftOut, ports } = view;
  if (leftOut === undefined) return [];
  const { reason, hint } = leftOut;
  const isDirect = leftOut.isDirect || ports.length === 0;
  return [
    {
      compose: service.name,
      reason,
      hint,
      ports,
      name: ports.length > 0 ? names.get(service.name) : undefined,
      networks: networksOf(service, project),
      isDirect,
    },
  ];
}

/** A trust domain of the project's name, which is found nowhere else. */
function toTrustDomain(project: string): string {
  const label = project
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]/g, '-')
    .slice(0, 63);
  return `${label === '' ? 'project' : label}.compose.internal`;
}

function projectRemarks({ unsetVariables }: ComposeProject): string[] {
  if (unsetVariables.length === 0) return [];
  const shown = unsetVariables.slice(0, 10).map(shortName).join(', ');
  const more = unsetVariables.length > 10 ? ` and ${unsetVariables.length - 10} more` : '';
  return [`Variables that nobody sets were read as empty: ${shown}${more}.`];
}
