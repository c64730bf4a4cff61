// Who is connected to what in the meshed project: which containers and networks there are besides
// the user's own, which names lead where, and at which addresses each sidecar listens. Pure; the
// override and mesh.yaml are two prints of it.
import type { LeftOut, MeshPlan, PlannedService } from '../plan/index.js';
import { type Candidate, toSlots } from './slots.js';
import { assignSubnets, DEFAULT_SUBNETS, type Subnet } from './subnets.js';

/** One of the networks on which an application is alone with its sidecar. */
export interface SlotWiring {
  readonly network: string;
  readonly subnet: Subnet;
  /** By which the application calls the callees of this slot: they lead to its sidecar. */
  readonly names: readonly string[];
  /** In mesh.yaml. */
  readonly callees: readonly string[];
}

/** A network on which an application reaches one callee around its own sidecar. */
export interface DirectWiring {
  readonly network: string;
  readonly subnet: Subnet;
  readonly callee: string;
}

/** A callee of an application whose network a holder keeps: at a loopback address of the two. */
export interface LoopbackWiring {
  readonly address: string;
  readonly names: readonly string[];
  /** In mesh.yaml. */
  readonly callee: string;
}

export interface ServiceWiring {
  readonly service: PlannedService;
  readonly sidecar: string;
  /** The container that keeps the network of both; undefined: the sidecar is in front. */
  readonly holder: string | undefined;
  /** The one-shot that makes the sidecar's bootstrap, in a volume that only the two see. */
  readonly identity: string;
  readonly volume: string;
  /** By which its sidecar alone reaches the application, where it is in front of it. */
  readonly application: string;
  /** By which the application calls itself, perhaps; without its name in the compose file. */
  readonly ownNames: readonly string[];
  /** Whether its networks lead nowhere outside. */
  readonly isInternal: boolean;
  /** At least one where the sidecar is in front, none with a holder. */
  readonly slots: readonly SlotWiring[];
  /** The same with a holder. */
  readonly loopback: readonly LoopbackWiring[];
  readonly direct: readonly DirectWiring[];
  /** Networks on which it is the callee that is reached so. */
  readonly reached: readonly DirectWiring[];
}

export interface LeftOutWiring {
  readonly leftOut: LeftOut;
  /** By which sidecars reach it; undefined: none does. */
  readonly alias: string | undefined;
  readonly reached: readonly DirectWiring[];
}

export interface Wiring {
  readonly plan: MeshPlan;
  /** The server's container, and the network on which it and the sidecars meet. */
  readonly server: string;
  readonly network: string;
  readonly services: readonly ServiceWiring[];
  readonly leftOut: readonly LeftOutWiring[];
  /** Whole sentences, of what came out less than well. */
  readonly remarks: readonly string[];
}

/** @throws MeshError usage: the range for subnets is none, or too small */
export function wire(plan: MeshPlan): Wiring {
  const isGenerous = countUnknown(plan) <= MOST_DIRECT;
  const drafts = plan.services.map((service) => draft(service, { plan, isGenerous }));
  const keys = drafts.flatMap(({ service, slots, direct }) => [
    ...slots.map((_, index) => slotKey(service, index)),
    ...direct.map((callee) => directKey(service, callee)),
  ]);
  const range = plan.subnets ?? DEFAULT_SUBNETS;
  const subnets = assignSubnets({ project: plan.project, keys, range });
  const names = new Names(plan);
  const server = names.container('countersign');
  const network = names.network('countersign');
  const wired = drafts.map((one) => toServiceWiring(one, { plan, names, subnets }));
  const reach = (compose: string): DirectWiring[] =>
    wired.flatMap(({ direct }) => direct.filter(({ callee }) => callee === compose));
  const services = wired.map((one) => ({ ...one, reached: reach(one.service.compose) }));
  return {
    plan,
    server,
    network,
    services,
    leftOut: plan.leftOut.map((leftOut) => ({
      leftOut,
      alias: toAlias(leftOut, services),
      reached: reach(leftOut.compose),
    })),
    remarks: [
      ...heldRemarks(plan),
      ...plainRemarks(drafts, plan),
      ...unplacedRemarks(drafts),
      ...directRemarks(drafts),
    ],
  };
}

interface Draft {
  readonly service: PlannedService;
  readonly slots: readonly (readonly string[])[];
  /** With a holder. */
  readonly loopback: readonly string[];
  /** Callees that must be reached at their own addresses. */
  readonly direct: readonly string[];
  /** Callees for which there is no room. */
  readonly unplaced: readonly Candidate[];
}

/** So many networks of a project are worth calls of which nothing says that they are made. */
const MOST_DIRECT = 64;

function draft(
  service: PlannedService,
  { plan, isGenerous }: { plan: MeshPlan; isGenerous: boolean },
): Draft {
  const candidates: Candidate[] = [];
  const direct: string[] = [];
  const without: Candidate[] = [];
  for (const { callee, evidence } of service.calls) {
    const found = findCallee(plan, callee);
    const isKnown = evidence !== undefined;
    if (found === undefined || callee === service.compose) continue;
    if (isAround(found, isKnown)) {
      if (isKnown || isGenerous) direct.push(callee);
      else without.push({ callee, isKnown, ports: [] });
    } else if (found.ports.length > 0) {
      candidates.push({ callee, isKnown, ports: found.ports.map(({ number }) => number) });
    }
  }
  if (service.shape === 'holder') {
    // It keeps its networks, and reaches there whoever has no sidecar. An application that listens
    // on all addresses has its ports for itself, on loopback too.
    const own = new Set(service.ports.map(({ number }) => number));
    const loopback = candidates
      .filter(({ ports }) => !ports.some((port) => own.has(port)))
      .map(({ callee }) => callee);
    return { service, slots: [], loopback, direct: [], unplaced: [] };
  }
  const { slots, unplaced } = toSlots(candidates);
  return { service, slots, loopback: [], direct, unplaced: [...unplaced, ...without] };
}

/** Of one whose ports nobody knows, no sidecar can listen for any. */
function isAround({ isDirect, ports }: Callee, isKnown: boolean): boolean {
  return isDirect ?? (isKnown && ports.length === 0);
}

/** Pairs that would need a network, and of which nothing says that they are one. */
function countUnknown(plan: MeshPlan): number {
  const unknown = plan.services
    .filter(({ shape }) => shape === 'fronted')
    .flatMap(({ calls }) => calls.filter(({ evidence }) => evidence === undefined));
  return unknown.filter(({ callee }) => findCallee(plan, callee)?.isDirect === true).length;
}

type Callee = Pick<LeftOut, 'name' | 'ports' | 'networks'> & Partial<Pick<LeftOut, 'isDirect'>>;

function findCallee({ services, leftOut }: MeshPlan, compose: string): Callee | undefined {
  return [...services, ...leftOut].find((one) => one.compose === compose);
}

// The engine refuses them beside a network that another container keeps.
const REFUSED = ['dns', 'dns_search', 'dns_opt', 'domainname', 'mac_address', 'sysctls'];

/** Keys of a service that are lost beside a holder. */
export function lostKeys({ otherKeys }: PlannedService): string[] {
  return REFUSED.filter((key) => otherKeys.has(key));
}

function heldRemarks({ services }: MeshPlan): string[] {
  return services
    .filter((service) => service.shape === 'holder' && lostKeys(service).length > 0)
    .map((service) => {
      const keys = lostKeys(service).join(', ');
      return `${service.compose} loses ${keys}: set them at its holder in a file of your own`;
    });
}

/** Of holders' services, whose callees have one of their own ports. */
function plainRemarks(drafts: readonly Draft[], plan: MeshPlan): string[] {
  return drafts
    .filter(({ service }) => service.shape === 'holder')
    .flatMap(({ service, loopback }) => {
      const own = new Set(service.ports.map(({ number }) => number));
      const isPlain = (callee: string): boolean =>
        callee !== service.compose &&
        !loopback.includes(callee) &&
        (findCallee(plan, callee)?.ports ?? []).some(({ number }) => own.has(number));
      const plain = service.calls.map(({ callee }) => callee).filter(isPlain);
      if (plain.length === 0) return [];
      const why = `since they have a port number that ${service.compose} listens at itself`;
      const how = 'around its sidecar, in plain text, which strict refuses';
      return [`${service.compose} calls ${toFew(plain)} ${how}, ${why}`];
    });
}

/** One for all callers with the same callees. */
function unplacedRemarks(drafts: readonly Draft[]): string[] {
  const groups = new Map<string, { callers: string[]; unplaced: readonly Candidate[] }>();
  for (const { service, unplaced } of drafts.filter((draft) => draft.unplaced.length > 0)) {
    const key = JSON.stringify(unplaced);
    const group = groups.get(key) ?? { callers: [], unplaced };
    groups.set(key, { ...group, callers: [...group.callers, service.compose] });
  }
  return [...groups.values()].map(({ callers, unplaced }) => {
    const names = unplaced.map(({ callee }) => callee);
    const advice = unplaced.some(({ isKnown }) => isKnown)
      ? 'give the callees different ports, or the caller `x-countersign: { capture: transparent }`'
      : `where one does, name its callees: \`x-countersign: { calls: [${names[0]}] }\``;
    const why = 'nothing says that they do, or these share a port number with others';
    return `${toFew(callers)} can't call ${toFew(names)} any more, since ${why}: ${advice}`;
  });
}

const FEW = 5;

function toFew(names: readonly string[]): string {
  const more = names.length - FEW;
  return more <= 0 ? names.join(', ') : `${names.slice(0, FEW).join(', ')} and ${more} more`;
}

/** One for each callee. */
function directRemarks(drafts: readonly Draft[]): string[] {
  const callers = new Map<string, string[]>();
  for (const { service, direct } of drafts) {
    for (const callee of direct) {
      callers.set(callee, [...(callers.get(callee) ?? []), service.compose]);
    }
  }
  const where = 'on a network of the two alone';
  return [...callers].map(
    ([callee, names]) => `${callee} is called around the sidecar of ${toFew(names)}, ${where}`,
  );
}

function slotKey({ compose }: PlannedService, index: number): string {
  return index === 0 ? compose : `${compose}/${index + 1}`;
}

function directKey({ compose }: PlannedService, callee: string): string {
  return `${compose}>${callee}`;
}

interface Placing {
  readonly plan: MeshPlan;
  readonly names: Names;
  readonly subnets: ReadonlyMap<string, Subnet>;
}

function toServiceWiring(
  { service, slots, loopback, direct }: Draft,
  { plan, names, subnets }: Placing,
): Omit<ServiceWiring, 'reached'> {
  const { compose, name, networks } = service;
  const subnetOf = (key: string): Subnet => {
    const subnet = subnets.get(key);
    if (subnet === undefined) throw new Error(`no subnet for ${key}`);
    return subnet;
  };
  return {
    service,
    sidecar: names.container(`${compose}-sidecar`),
    holder: service.shape === 'holder' ? names.container(`${compose}-holder`) : undefined,
    identity: names.container(`${compose}-identity`),
    volume: `countersign-identity-${compose}`,
    application: `${name}.application.internal`,
    ownNames: distinct(networks.flatMap((one) => one.names)).filter((one) => one !== compose),
    isInternal: networks.length > 0 && networks.every(({ isInternal }) => isInternal),
    slots: slots.map((callees, index) => ({
      network: names.network(
        index === 0 ? `${compose}-private` : `${compose}-private-${index + 1}`,
      ),
      subnet: subnetOf(slotKey(service, index)),
      names: distinct(callees.flatMap((callee) => namesOf(callee, service, plan))),
      callees: callees.map((callee) => findCallee(plan, callee)?.name ?? callee),
    })),
    loopback: loopback.map((callee, index) => ({
      // As many as its callees, in a network that is the service's own.
      address: `127.64.${Math.floor(index / 250)}.${(index % 250) + 1}`,
      names: distinct(namesOf(callee, service, plan)),
      callee: findCallee(plan, callee)?.name ?? callee,
    })),
    direct: direct.map((callee) => ({
      network: names.network(`${compose}-to-${callee}`),
      subnet: subnetOf(directKey(service, callee)),
      callee,
    })),
  };
}

/** By which a caller reaches a callee on the networks that they share, and by its own links. */
function namesOf(callee: string, caller: PlannedService, plan: MeshPlan): readonly string[] {
  const shared = new Set(caller.networks.map(({ name }) => name));
  const networks = findCallee(plan, callee)?.networks ?? [];
  const links = [...caller.ownNames].filter(([, behind]) => behind === callee);
  return [
    ...networks.filter(({ name }) => shared.has(name)).flatMap(({ names }) => names),
    ...links.map(([name]) => name),
  ];
}

/** A name that leads to it from sidecars, where any calls it. */
function toAlias({ name }: LeftOut, services: readonly ServiceWiring[]): string | undefined {
  if (name === undefined) return undefined;
  const isCalled = services.some(
    ({ slots, loopback }) =>
      slots.some(({ callees }) => callees.includes(name)) ||
      loopback.some(({ callee }) => callee === name),
  );
  return isCalled ? `${name}.outside.internal` : undefined;
}

/** Names for what we add, which the user's file hasn't. */
class Names {
  readonly #containers: Set<string>;
  readonly #networks: Set<string>;

  constructor({ services, leftOut }: MeshPlan) {
    const all = [...services, ...leftOut];
    this.#containers = new Set(all.map(({ compose }) => compose));
    this.#networks = new Set(all.flatMap(({ networks }) => networks.map(({ name }) => name)));
  }

  container(wanted: string): string {
    return take(wanted, this.#containers);
  }

  network(wanted: string): string {
    return take(wanted, this.#networks);
  }
}

function take(wanted: string, taken: Set<string>): string {
  let name = wanted;
  for (let number = 2; taken.has(name); number++) name = `${wanted}-of-mesh-${number}`;
  taken.add(name);
  return name;
}

function distinct(names: readonly string[]): string[] {
  return [...new Set(names)];
}
