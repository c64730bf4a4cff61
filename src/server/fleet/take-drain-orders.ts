// What commands order about drains (src/drains/drain-orders.ts), carried out by `Drains`.
import { closest, MeshError } from '../../base/index.js';
import type { OrderDesk } from '../../data/orders/index.js';
import { DRAIN_INSTANCE, DRAIN_STATE, type DrainReport, UNDO_DRAIN } from '../../drains/index.js';
import {
  findService as findDeclared,
  type Mesh,
  toNames,
  tryServiceName,
} from '../../policy/index.js';
import { type NodeId, splitNodeId, toNodeId } from '../../spiffe/index.js';
import type { Drains } from './drains.js';
import type { Members } from './members.js';
import type { SidecarRegistry } from './registry.js';

export interface DrainOrdersOptions {
  readonly drains: Drains;
  readonly members: Members;
  readonly registry: SidecarRegistry;
  readonly mesh: () => Mesh;
}

interface Instance {
  readonly service: string;
  readonly instance: string;
}

/** Takes orders about drains from now on. */
export function takeDrainOrders(desk: OrderDesk, options: DrainOrdersOptions): void {
  const { drains } = options;
  desk.register(DRAIN_INSTANCE, async ({ payload }) => {
    const node = toNode(payload, options);
    if (!drains.has(node)) {
      const service = findService(payload.service, options);
      refuseUnknown(payload, options);
      if (!payload.evenLast) refuseLast(node, options);
      await drains.begin({ node, service: service.name });
    }
    return { state: 'done', report: toReport(node, options) };
  });
  desk.register(DRAIN_STATE, async ({ payload }) => {
    const node = toNode(payload, options);
    if (!drains.has(node)) {
      throw new MeshError('request-invalid', `expected "${node}" to be drained but it is not`, {
        variant: 'not-drained',
      });
    }
    const report = toReport(node, options);
    return { state: report.stage === 'done' ? 'done' : 'waiting', report };
  });
  desk.register(UNDO_DRAIN, async ({ payload }) => {
    const wasDrained = await drains.end(toNode(payload, options), 'it was taken back');
    return { state: 'done', report: { wasDrained } };
  });
}

function findService(name: string, { mesh }: DrainOrdersOptions) {
  const known = tryServiceName(name);
  const found = known === undefined ? undefined : findDeclared(mesh(), known);
  if (found !== undefined) return found;
  throw new MeshError('service-unknown', `the mesh in force declares no service "${name}"`);
}

/** The node by any name that its service has or had, one that is there before others. */
function toNode({ service, instance }: Instance, options: DrainOrdersOptions): NodeId {
  const { drains } = options;
  const nodes = [service, ...toKnownNames(service, options)].map((name) =>
    toNodeId({ service: name, instance }),
  );
  const known = new Set(toKnownNodes(options));
  const asked = toNodeId({ service, instance });
  return nodes.find((node) => drains.has(node)) ?? nodes.find((node) => known.has(node)) ?? asked;
}

function toKnownNames(name: string, { mesh }: DrainOrdersOptions): readonly string[] {
  const service = findDeclared(mesh(), name);
  return service === undefined ? [name] : toNames(service);
}

function toKnownNodes({ members, registry }: DrainOrdersOptions): readonly NodeId[] {
  const sidecars = [...members].filter(({ stream }) => !stream.auth.isStatic);
  const connected = sidecars.map(({ stream }) => stream.auth.node);
  return [...new Set([...connected, ...registry.missing()])];
}

const INSTANCES_NAMED = 10;

function refuseUnknown({ service, instance }: Instance, options: DrainOrdersOptions): void {
  const names = toKnownNames(service, options);
  const known = toKnownNodes(options)
    .map(splitNodeId)
    .filter((one) => names.includes(one.service))
    .map((one) => one.instance)
    .sort();
  if (known.includes(instance)) return;
  const near = closest(instance, known);
  const meant = near === undefined ? '' : ` (did you mean "${near}"?)`;
  const more = known.length > INSTANCES_NAMED ? ', …' : '';
  const hint =
    known.length === 0
      ? 'none of its sidecars is connected'
      : `those that are: ${known.slice(0, INSTANCES_NAMED).join(', ')}${more}`;
  const message = `no instance "${instance}" of "${service}" is connected${meant}`;
  throw new MeshError('instance-unknown', message, { hint });
}

/** Where nobody else is called instead, callers would lose what they are to keep. */
function refuseLast(node: NodeId, options: DrainOrdersOptions): void {
  const { service: name } = splitNodeId(node);
  const service = findService(name, options);
  const isCalled = options.registry.nodesOf(service.name).includes(node);
  if (!isCalled || service.ports.length === 0 || service.endpoints.length > 0) return;
  if (toOthers(node, options).length > 0) return;
  const message = `expected another instance of "${name}" to call instead but there is none`;
  throw new MeshError('request-invalid', message, { variant: 'last-instance' });
}

function toOthers(node: NodeId, { registry, mesh }: DrainOrdersOptions): readonly NodeId[] {
  const name = tryServiceName(splitNodeId(node).service);
  const service = name === undefined ? undefined : findDeclared(mesh(), name);
  if (service === undefined) return [];
  return [...new Set(registry.nodesOf(service.name))].filter((one) => one !== node).sort();
}

function toReport(node: NodeId, options: DrainOrdersOptions): DrainReport {
  const view = options.drains.view().find((one) => one.node === node);
  const { stage = 'callers', waitingFor = [] } = view ?? {};
  return { stage, waitingFor: [...waitingFor], others: [...toOthers(node, options)] };
}
