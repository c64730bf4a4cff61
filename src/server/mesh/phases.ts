// A change of mode is carried out as phases, so that it fails no request (DESIGN.md, "Phases"). A
// mesh is put in force step by step; each step waits until the one before is in force on every
// connected sidecar.
//   from DISABLE: the port accepts both under its old rules and its callers move to the mesh port
//                 → new mode and rules (rules with identities would refuse callers that still come
//                 in plain text)
//   to DISABLE:   the port accepts both under its new rules → its callers move to the declared port
// Between STRICT and PERMISSIVE mesh callers use the mesh port throughout: one step. TLS settings
// that have no handshake in common with the old ones: both ends take either → the new ones.
import {
  haveSameMeaning,
  type Mesh,
  type Port,
  type Service,
  type TlsSettings,
} from '../../policy/index.js';

export interface Phase {
  readonly name: string;
  /** What is in force during this phase. */
  readonly mesh: Mesh;
}

/**
 * The steps to the wanted mesh; the last is the wanted one itself. `before` are the meshes that may
 * still be in force on some sidecar: more than one where an edit overtakes a phase that nobody has
 * finished.
 */
export function planPhases(before: readonly Mesh[], wanted: Mesh): readonly Phase[] {
  const final: Phase = { name: `mesh ${wanted.version}`, mesh: wanted };
  const between = new Map<Port, Port>();
  const names: string[] = [];
  for (const service of wanted.services.values()) {
    const olds = before.flatMap((mesh) => mesh.services.get(service.name)?.ports ?? []);
    for (const port of service.ports) {
      const step = toStep(
        olds.filter(({ number }) => number === port.number),
        port,
      );
      if (step === undefined) continue;
      between.set(port, step);
      names.push(`${service.name}:${port.number}`);
    }
  }
  if (between.size === 0) return [final];
  const ports = names.join(', ');
  return [
    { name: `both old and new settings on ${ports}`, mesh: replacePorts(wanted, between) },
    { ...final, name: `new settings of ${ports}` },
  ];
}

/** The port between an old form and its new one, where it needs such a step. */
function toStep(olds: readonly Port[], port: Port): Port | undefined {
  const turned = toModeStep(olds, port);
  const { tls } = turned ?? port;
  const apart = olds.find((old) => !canHandshake(old.tls, port.tls));
  return apart === undefined ? turned : { ...(turned ?? port), tls: toEither(apart.tls, tls) };
}

function toModeStep(olds: readonly Port[], port: Port): Port | undefined {
  const old = olds.find(({ mode }) => (mode === 'disable') !== (port.mode === 'disable'));
  if (old === undefined) return undefined;
  const opposite = old.mode === 'strict' || port.mode === 'strict';
  if (!opposite && haveSameMeaning(old.access, port.access)) return undefined;
  if (port.mode === 'disable') return { ...port, mode: 'permissive' };
  const deny = [...port.access.deny, ...old.access.deny];
  return { ...port, mode: 'permissive', access: { ...old.access, deny } };
}

/** Whether a caller by one of these and a server by the other agree, either way round. */
function canHandshake(a: TlsSettings, b: TlsSettings): boolean {
  const common = (x: readonly string[], y: readonly string[]): boolean =>
    x.length === 0 || y.length === 0 || x.some((one) => y.includes(one));
  const versions = a.minVersion <= b.maxVersion && b.minVersion <= a.maxVersion;
  const only12 = a.maxVersion === 'TLSv1_2' || b.maxVersion === 'TLSv1_2';
  const ciphers = !only12 || common(a.cipherSuites, b.cipherSuites);
  return versions && ciphers && common(a.curves, b.curves);
}

/** What agrees with both: a caller has moved before the server refuses the old, and the reverse. */
function toEither(a: TlsSettings, b: TlsSettings): TlsSettings {
  const either = <T>(x: readonly T[], y: readonly T[]): readonly T[] =>
    x.length === 0 || y.length === 0 ? [] : [...new Set([...y, ...x])];
  return {
    minVersion: [a.minVersion, b.minVersion].includes('TLSv1_2') ? 'TLSv1_2' : 'TLSv1_3',
    maxVersion: [a.maxVersion, b.maxVersion].includes('TLSv1_3') ? 'TLSv1_3' : 'TLSv1_2',
    cipherSuites: either(a.cipherSuites, b.cipherSuites),
    curves: either(a.curves, b.curves),
  };
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
