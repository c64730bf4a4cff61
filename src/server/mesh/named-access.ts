// Whom the rules of a mesh mean while services have several identities. Rules are read with the
// names of the mesh that they come from: those of an older mesh know a service by its old identity,
// and take whoever shows its new one for it, and the other way round. So each rule list that is
// published says by which identity it knows such a service (`PortAccess.aliases`).
import {
  type Alias,
  type Mesh,
  type Port,
  type PortAccess,
  type Service,
  type ServiceName,
  toSpiffeIds,
} from '../../policy/index.js';
import type { IdentityForm } from './identity-change.js';

/** The mesh with these services between two identities; the same where there are none. */
export function withIdentities(mesh: Mesh, forms: ReadonlyMap<ServiceName, IdentityForm>): Mesh {
  const changed = [...forms].flatMap(([name, form]): [ServiceName, Service][] => {
    const service = mesh.services.get(name);
    return service === undefined ? [] : [[name, toChanged(service, form)]];
  });
  if (changed.every(([name, service]) => service === mesh.services.get(name))) return mesh;
  const services = new Map([...mesh.services, ...changed]);
  return withAliases({ ...mesh, services }, toAliases(changed.map(([, service]) => service)));
}

function toChanged(service: Service, { alsoKnownAs = [], moving }: IdentityForm): Service {
  if (alsoKnownAs.length === 0 && moving === undefined) return service;
  const others = [...new Set([...(service.alsoKnownAs ?? []), ...alsoKnownAs])];
  return {
    ...service,
    ...(others.length === 0 ? {} : { alsoKnownAs: others }),
    ...(moving === undefined ? {} : { moving }),
  };
}

function toAliases(services: readonly Service[]): readonly Alias[] {
  return services.flatMap((service): Alias[] => {
    const [spiffeId = '', ...others] = toSpiffeIds(service);
    return others.length === 0 ? [] : [{ spiffeId, others }];
  });
}

/** Rules know these services by those identities, but for rules that say otherwise already. */
export function withAliases(mesh: Mesh, aliases: readonly Alias[]): Mesh {
  if (aliases.length === 0) return mesh;
  const services = [...mesh.services].map(([name, service]): [ServiceName, Service] => [
    name,
    { ...service, ports: service.ports.map((port) => nameForm(port, aliases)) },
  ]);
  return { ...mesh, services: new Map(services) };
}

/** The same of one port, and of each form in which it stands. */
export function nameForm(port: Port, aliases: readonly Alias[]): Port {
  const { between, ...form } = port;
  const named: Port = { ...form, access: nameAccess(port.access, aliases) };
  if (between === undefined) return named;
  const { callers, tls, plain } = between;
  const namedTls = tls && nameForm(tls, aliases);
  // Where one form decides on both ways, it is one object.
  const namedPlain = plain === tls ? namedTls : plain && nameForm(plain, aliases);
  return {
    ...named,
    between: {
      callers: nameForm(callers, aliases),
      ...(namedTls && { tls: namedTls }),
      ...(namedPlain && { plain: namedPlain }),
    },
  };
}

function nameAccess(access: PortAccess, aliases: readonly Alias[]): PortAccess {
  let all = access.aliases ?? [];
  for (const alias of aliases) {
    const ids = [alias.spiffeId, ...alias.others];
    const old = all.find(({ spiffeId, others }) =>
      [spiffeId, ...others].some((id) => ids.includes(id)),
    );
    const { spiffeId } = old ?? alias;
    const others = [...new Set([...(old?.others ?? []), ...ids])].filter((id) => id !== spiffeId);
    all = [...all.filter((one) => one !== old), { spiffeId, others }];
  }
  return { ...access, aliases: all };
}
