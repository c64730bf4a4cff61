// One service of which nothing can be made (that is a fault of ours) is held at its last good form,
// or left out where it has none; everything else of the edit goes on. Else it would keep its
// callers from this edit, and from every later one. The file has a problem, so that nobody is told
// that it is in force.
import { MeshError } from '../../base/index.js';
import {
  haveSameMeaning,
  type Mesh,
  type Problem,
  type Service,
  type ServiceName,
} from '../../policy/index.js';

export interface Isolation {
  readonly mesh: Mesh;
  readonly problems: readonly Problem[];
  /** Services of whose newest form nothing can be made. */
  readonly held: readonly ServiceName[];
}

export interface IsolateOptions {
  /** What is in force; undefined: nothing is. */
  readonly before: Mesh | undefined;
  /** @throws where something of the service can't be made. */
  readonly assertTranslatable: (mesh: Mesh, service: Service) => void;
}

/** The same mesh, without problems, where all of its services can be translated. */
export function isolate(wanted: Mesh, { before, assertTranslatable }: IsolateOptions): Isolation {
  const services = new Map<ServiceName, Service>();
  const problems: Problem[] = [];
  const held: ServiceName[] = [];
  for (const [name, service] of wanted.services) {
    const old = before?.services.get(name);
    const why = haveSameMeaning(old, service)
      ? undefined
      : tryTranslate(() => assertTranslatable(wanted, service));
    if (why === undefined) services.set(name, service);
    else if (old !== undefined) services.set(name, old);
    if (why === undefined) continue;
    held.push(name);
    problems.push(toProblem({ service, why, isHeld: old !== undefined }));
  }
  if (problems.length === 0) return { mesh: wanted, problems, held };
  // Not what the file says, and nobody is to take it for that.
  return { mesh: { ...wanted, version: `${wanted.version}-held`, services }, problems, held };
}

function tryTranslate(translate: () => void): string | undefined {
  try {
    translate();
    return undefined;
  } catch (error) {
    return error instanceof MeshError ? error.message : 'internal error';
  }
}

interface Poisoned {
  readonly service: Service;
  readonly why: string;
  readonly isHeld: boolean;
}

function toProblem({ service, why, isHeld }: Poisoned): Problem {
  const what = isHeld ? 'it stays as it was' : 'it is left out';
  return {
    severity: 'error',
    source: service.source,
    path: `services.${service.name}`,
    message: `no configuration can be made of service "${service.name}" (${why}): ${what}`,
    hint: 'all other services have the new settings; please report this with its part of the file',
  };
}
