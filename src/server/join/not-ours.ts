// That no caller of a service is led to this server: neither to the xDS port nor to the admin port,
// which is open to whoever reaches it on loopback.
import { MeshError } from '../../base/index.js';
import { MESH_PORT, type Service } from '../../policy/index.js';
import { type SidecarSite, toAddressSet, tryIpAddress } from '../addresses/index.js';

const WILDCARDS: ReadonlySet<string> = new Set(['0.0.0.0', '::']);
const LOOPBACK = toAddressSet([
  { address: '127.0.0.0', bits: 8 },
  { address: '::1', bits: 128 },
]);

/** @throws MeshError address-refused where a port of the service is the server's own there */
export function assertNotOurs(service: Service, address: string, site: SidecarSite): void {
  const ports = new Set([...service.ports.map(({ number }) => number), MESH_PORT]);
  const ours = site.listening.find(
    ({ host, port }) => ports.has(port) && isReachedAt(host, address, site),
  );
  if (ours === undefined) return;
  const place = address.includes(':') ? `[${address}]` : address;
  const message = `expected a sidecar of "${service.name}" elsewhere than at ${place}:${ours.port}`;
  throw new MeshError('address-refused', `${message}, where this server listens itself`, {
    variant: 'kind',
  });
}

/** A name may stand for any address of the machine. */
function isReachedAt(host: string, address: string, { isOwn }: SidecarSite): boolean {
  const one = WILDCARDS.has(host) ? undefined : tryIpAddress(host);
  if (one !== undefined) return one === address;
  return LOOPBACK.has(address) || isOwn(address);
}
