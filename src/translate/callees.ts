// Whom a service may call: what it hears of at all.
import { type Mesh, mayCall, type Port, type Service, type ServiceName } from '../policy/index.js';
import { toCallersForm } from './forms.js';
import { NOTHING_REVOKED, type Revoked } from './revoked.js';

/** A sidecar that serves its service. */
export interface SidecarEndpoint {
  readonly address: string;
  /** Its listeners that can't bind their address; absent: none. */
  readonly unbound?: readonly string[] | undefined;
}

/** By service, in a stable order. A service without an entry has none. */
export type Registry = ReadonlyMap<ServiceName, readonly SidecarEndpoint[]>;

/** A port that is called, and where. */
export interface Callee {
  readonly callee: Service;
  readonly port: Port;
  readonly sidecars: readonly SidecarEndpoint[];
}

/** The ports that this service may call through its sidecar, in the mesh's order. */
export function toCallees(
  mesh: Mesh,
  caller: Service,
  revoked?: Revoked,
): { callee: Service; port: Port }[] {
  return toKnown(mesh, caller, revoked).filter(({ callee }) => callee.leaving === undefined);
}

/** With those that it may call no longer, and to which it has open connections. */
export function toKnown(
  mesh: Mesh,
  caller: Service,
  { services }: Revoked = NOTHING_REVOKED,
): { callee: Service; port: Port }[] {
  if (caller.capture.outbound === 'none') return [];
  return [...mesh.services.values()]
    .filter((callee) => !services.has(callee.name))
    .flatMap((callee) =>
      callee.ports
        .map(toCallersForm)
        .filter((port) => mayCall(mesh, { caller, callee, port }))
        .map((port) => ({ callee, port })),
    );
}
