// A plan of a compose file that a test writes down.
import { MeshError } from '../../src/base/index.js';
import {
  type LeftOut,
  type MeshPlan,
  type PlannedService,
  type PlanOptions,
  planMesh,
} from '../../src/compose/plan/index.js';
import { type Files, readFolder } from '../compose-project/project-files.js';

export async function planOf(files: Files, options?: PlanOptions): Promise<MeshPlan> {
  return planMesh(await readFolder(files), options);
}

/** A plan of services, each by its settings in one line. */
export async function planServices(
  services: Readonly<Record<string, string>>,
  rest = '',
): Promise<MeshPlan> {
  const lines = Object.entries(services).map(([name, settings]) => `  ${name}: { ${settings} }`);
  return planOf(['services:', ...lines, rest].join('\n'));
}

export function serviceOf(plan: MeshPlan, name: string): PlannedService {
  const found = plan.services.find(({ compose }) => compose === name);
  if (found !== undefined) return found;
  const leftOut = plan.leftOut.find(({ compose }) => compose === name);
  throw new Error(`${name} is not meshed: ${leftOut?.reason ?? 'nobody knows it'}`);
}

export function leftOutOf(plan: MeshPlan, name: string): LeftOut {
  const found = plan.leftOut.find(({ compose }) => compose === name);
  if (found === undefined) throw new Error(`${name} is not left out`);
  return found;
}

/** `{ 8080: 'http' }` */
export function portsOf(plan: MeshPlan, name: string): Record<number, string> {
  const { ports } = serviceOf(plan, name);
  return Object.fromEntries(ports.map(({ number, protocol }) => [number, protocol]));
}

export function callsOf(plan: MeshPlan, name: string): Record<string, string | undefined> {
  const { calls } = serviceOf(plan, name);
  return Object.fromEntries(calls.map(({ callee, evidence }) => [callee, evidence]));
}

export async function planRefusal(files: Files): Promise<string> {
  try {
    await planOf(files);
  } catch (error) {
    if (error instanceof MeshError) return [error.message, error.hint ?? ''].join('|');
    throw error;
  }
  throw new Error('expected a refusal');
}
