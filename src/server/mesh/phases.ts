// A mesh is put in force step by step, so that no edit fails a request that both the old mesh and
// the new one let in, or serves one that both forbid, whichever sidecars have which step (decision
// 041):
//   the sidecars that serve a port widen → its callers' sidecars move → the former narrow
// Steps that change nothing for anybody are left out: what leaves the callers' way as it is takes
// one (`port-change.ts`). A step waits only for the sidecars that the next one needs.
import {
  type Mesh,
  mayCall,
  type Port,
  type Service,
  type ServiceName,
} from '../../policy/index.js';
import { toClusterName } from '../../translate/index.js';
import { type PortChange, toPortChange } from './port-change.js';

export interface Phase {
  readonly name: string;
  /** What is in force during this phase. */
  readonly mesh: Mesh;
  /** Whom the next phase waits for; absent: everybody. */
  readonly awaits?: Awaited;
}

export interface Awaited {
  /**
   * `serving`: those that serve the changing ports. One that rejects the phase holds it for as long
   * as it does: callers that came to it would fail. `calling`: those that call them.
   */
  readonly role: 'serving' | 'calling';
  readonly services: readonly ServiceName[];
}

interface Change extends PortChange {
  readonly service: Service;
  readonly port: Port;
}

/**
 * The steps to the wanted mesh; the last is the wanted one itself. `before` are the meshes that may
 * still be in force on some sidecar, the last of them the published one: more than one where an
 * edit overtakes a phase that nobody has finished.
 */
export function planPhases(before: readonly Mesh[], wanted: Mesh): readonly Phase[] {
  const changes = toChanges(before, wanted);
  const widening = changes.filter(({ widens }) => widens);
  const narrowing = changes.filter(({ moved }) => moved !== undefined);
  const ports = toNames(changes);
  const final: Phase = {
    name: changes.length === 0 ? `mesh ${wanted.version}` : `new settings of ${ports}`,
    mesh: wanted,
  };
  const widen: Phase = {
    name: `both old and new settings on ${ports}`,
    mesh: replacePorts(wanted, new Map(changes.map(({ port, widened }) => [port, widened]))),
    awaits: { role: 'serving', services: widening.map(({ service }) => service.name) },
  };
  const move: Phase = {
    name: `callers of ${toNames(narrowing)} take the new settings`,
    mesh: replacePorts(wanted, new Map(narrowing.map(({ port, moved }) => [port, moved ?? port]))),
    awaits: { role: 'calling', services: toCallers(before, narrowing) },
  };
  return [...(widening.length > 0 ? [widen] : []), ...(narrowing.length > 0 ? [move] : []), final];
}

function toChanges(before: readonly Mesh[], wanted: Mesh): readonly Change[] {
  const published = before.at(-1);
  return [...wanted.services.values()].flatMap((service) =>
    service.ports.flatMap((port): Change[] => {
      const olds = before.flatMap((mesh) => portOf(mesh, service.name, port.number) ?? []);
      const current = published && portOf(published, service.name, port.number);
      // A port that isn't published lets nobody in: there is nothing to keep.
      const change = current && toPortChange({ olds, current }, port);
      return change === undefined ? [] : [{ ...change, service, port }];
    }),
  );
}

function portOf(mesh: Mesh, name: ServiceName, number: number): Port | undefined {
  return mesh.services.get(name)?.ports.find((port) => port.number === number);
}

/** Services that may come by an old form. */
function toCallers(before: readonly Mesh[], changes: readonly Change[]): readonly ServiceName[] {
  const callers = before.flatMap((mesh) =>
    [...mesh.services.values()].filter((caller) =>
      changes.some(({ service: callee, callersForms }) =>
        callersForms.some((port) => mayCall(mesh, { caller, callee, port })),
      ),
    ),
  );
  return [...new Set(callers.map(({ name }) => name))].sort();
}

function toNames(changes: readonly Change[]): string {
  return changes.map(({ service, port }) => toClusterName(service, port)).join(', ');
}

function replacePorts(mesh: Mesh, replaced: ReadonlyMap<Port, Port>): Mesh {
  const replace = (service: Service): Service => ({
    ...service,
    ports: service.ports.map((port) => replaced.get(port) ?? port),
  });
  return {
    ...mesh,
    services: new Map([...mesh.services].map(([name, service]) => [name, replace(service)])),
  };
}
