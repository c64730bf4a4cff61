// What becomes of a request by one mesh, as MODEL.md has it: the mesh is parsed, and rules are
// decided by policy; nothing here knows of phases or of Envoy.
import { decideAccess } from '../../src/policy/decide.js';
import type { Mesh, Port, Service } from '../../src/policy/index.js';
import { type Flow, GRPC_PATH } from './flow.js';
import { type AppName, toApp } from './mesh-doc.js';

/** What is in force: a mesh, and who is shut out. */
export interface State {
  readonly mesh: Mesh;
  readonly revoked: readonly string[];
}

/** `open`: neither is promised. */
export type Verdict = { readonly app: AppName } | 'refused' | 'open';

export function judge({ mesh, revoked }: State, flow: Flow): Verdict {
  const callee = find(mesh, flow.callee);
  const port = callee?.ports.find(({ number }) => number === flow.port);
  if (port === undefined) return 'refused';
  const caller = flow.caller === undefined ? undefined : find(mesh, flow.caller);
  if (flow.caller !== undefined && caller === undefined) return 'refused';
  const way = toWay(flow, port);
  if (way === 'refused' || way === 'open') return way;
  const isShutOut = flow.caller !== undefined && revoked.includes(flow.caller);
  // Without identities nobody can tell who is shut out, and its sidecar stays what it was.
  if (isShutOut) {
    const asStranger = flow.way === 'sidecar' && port.mode !== 'strict';
    return way === 'identity' && !asStranger ? 'refused' : 'open';
  }
  return isAllowed(mesh, { flow, port, caller: way === 'identity' ? caller : undefined })
    ? { app: toApp(port.target) }
    : 'refused';
}

/** By its name or an earlier one. */
function find(mesh: Mesh, name: string): Service | undefined {
  const services: readonly (Service & { readonly formerly?: readonly string[] })[] = [
    ...mesh.services.values(),
  ];
  return (
    services.find((service) => service.name === name) ??
    services.find(({ formerly = [] }) => formerly.includes(name))
  );
}

/** Whether it arrives with the caller's identity, or without one, or not. */
function toWay({ way, only }: Flow, port: Port): 'identity' | 'nobody' | 'refused' | 'open' {
  const { mode } = port;
  if (way === 'plain') return mode === 'strict' ? 'refused' : 'nobody';
  if (way === 'sidecar') return mode === 'disable' ? 'nobody' : 'identity';
  // What stands there is no way in by this mesh, nor is it said to be none.
  if (way === 'mesh port' && mode === 'disable') return 'open';
  // An application here doesn't speak TLS itself.
  const isOurs = port.protocol === 'tcp' ? mode === 'strict' : mode !== 'disable';
  if (way === 'tls' && !isOurs) return 'refused';
  const { minVersion, maxVersion } = port.tls;
  const version = only?.replace('.', '_');
  const isSpoken = version === undefined || (minVersion <= version && version <= maxVersion);
  return isSpoken ? 'identity' : 'refused';
}

function isAllowed(
  { trustDomain }: Mesh,
  { flow, port, caller }: { flow: Flow; port: Port; caller: Service | undefined },
): boolean {
  const path = flow.speaks === 'grpc' ? GRPC_PATH : '/';
  const request = port.protocol === 'tcp' ? {} : { method: flow.method, path };
  const who = { spiffeId: caller?.spiffeId, trustDomain };
  return decideAccess(port.access, { ...who, ...request }).allowed;
}
