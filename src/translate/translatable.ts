// Whether all that a service is in other sidecars' configuration and its own can be made. Each of
// its callers is sent a part of that: one that can't be made would keep all of them from every
// change, and not only the service itself.
import type { Mesh, Service } from '../policy/index.js';
import { toCalleeCluster } from './clusters.js';
import { toEndpointResource } from './endpoints.js';
import { toCallersForm } from './forms.js';
import { toOutboundListener } from './outbound.js';
import { toCallers } from './secrets.js';
import { translateNode, translateService } from './workload.js';

/** Of RFC 5737: nobody's. */
const SOMEWHERE = '192.0.2.1';
const SIDECARS = [{ address: SOMEWHERE }];

/** @throws whatever keeps something of the service from being made. */
export function assertTranslatable(mesh: Mesh, service: Service): void {
  const alone = { ...mesh, services: new Map([[service.name, service]]) };
  translateService({ mesh: alone, service, registry: new Map([[service.name, SIDECARS]]) });
  translateNode({ mesh: alone, service, address: SOMEWHERE, outboundAddress: () => SOMEWHERE });
  toCallers({ mesh, service, deniedIds: [] });
  for (const declared of service.ports) {
    const callee = { callee: service, port: toCallersForm(declared), sidecars: SIDECARS };
    toCalleeCluster(callee);
    toEndpointResource(callee);
    toOutboundListener({ ...callee, address: SOMEWHERE, listen: 'address', mark: undefined });
  }
}
