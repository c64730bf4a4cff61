// The mesh that is published: what is wanted, with each running track's thing in the form that it
// has now. A pure function, so that nothing else need be stored. What no track changes keeps its
// identity, for whoever translates it.
import type { Mesh, Port, Service, ServiceName } from '../../policy/index.js';
import type { IdentityForm } from './identity-change.js';
import { toIdentityForm } from './identity-track.js';
import { withIdentities } from './named-access.js';
import { toCurrent } from './port-track.js';
import { withLeaving } from './removal-track.js';
import type { RemovalTrack, Track } from './track.js';

export function toPublished(wanted: Mesh, tracks: Iterable<Track>): Mesh {
  const ports = new Map<ServiceName, Map<number, Port>>();
  const identities = new Map<ServiceName, IdentityForm>();
  const leaving: RemovalTrack[] = [];
  for (const track of tracks) {
    switch (track.kind) {
      case 'port': {
        const own = ports.get(track.service) ?? new Map<number, Port>();
        ports.set(track.service, own.set(track.number, toCurrent(track)));
        break;
      }
      case 'identity':
        identities.set(track.service, toIdentityForm(track));
        break;
      case 'removal':
        leaving.push(track);
    }
  }
  return withLeaving(withIdentities(withPorts(wanted, ports), identities), leaving);
}

type Replaced = ReadonlyMap<ServiceName, ReadonlyMap<number, Port>>;

function withPorts(mesh: Mesh, replaced: Replaced): Mesh {
  const changed = [...replaced].flatMap(([name, own]): [ServiceName, Service][] => {
    const service = mesh.services.get(name);
    if (service === undefined) return [];
    const ports = service.ports.map((port) => own.get(port.number) ?? port);
    const isSame = ports.every((port, index) => port === service.ports[index]);
    return isSame ? [] : [[name, { ...service, ports }]];
  });
  if (changed.length === 0) return mesh;
  // In the mesh's order.
  return { ...mesh, services: new Map([...mesh.services, ...changed]) };
}
