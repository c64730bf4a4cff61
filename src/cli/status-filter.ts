// `status <service>` and `--not-synced`: the part of the status that is asked for, in its form.
import { closest, MeshError } from '../base/index.js';
import type { ServerStatus } from '../server/status/index.js';
import { splitNodeText } from '../spiffe/index.js';

export interface StatusFilter {
  readonly service: string | undefined;
  /** Of the proxies only those that lack something; the counts stay those of all. */
  readonly notSynced: boolean;
}

/** @throws MeshError service-unknown */
export function filterStatus(
  status: ServerStatus,
  { service, notSynced }: StatusFilter,
): ServerStatus {
  // The name of a service in the default namespace, as the server has it.
  const name = service?.replace(/^default\//, '');
  const part = name === undefined ? status : toPart(status, name);
  if (!notSynced) return part;
  return { ...part, proxies: part.proxies.filter(({ state }) => state !== 'synced') };
}

function toPart(status: ServerStatus, service: string): ServerStatus {
  const isOwn = (one: { readonly service: string }): boolean => one.service === service;
  const services = status.services.filter(isOwn);
  const proxies = status.proxies.filter(isOwn);
  const gone = status.gone.filter(isOwn);
  const refused = status.refused.filter(
    (one) => (one.service ?? splitNodeText(one.claim ?? '').service) === service,
  );
  if (services.length + proxies.length + gone.length + refused.length === 0) {
    throw unknownService(status, service);
  }
  const nodes = new Set(proxies.map(({ node }) => node));
  const summary = {
    proxies: proxies.length,
    synced: proxies.filter(({ state }) => state === 'synced').length,
    gone: gone.length,
    missing: services.filter(({ expected, connected }) => expected && connected === 0).length,
    undeclared: proxies.filter(({ declared }) => !declared).length,
    refused: refused.length,
  };
  // What is of one proxy is left out where that is another's.
  const warnings = status.warnings.filter(({ node }) => node === undefined || nodes.has(node));
  return { ...status, summary, services, proxies, gone, refused, warnings };
}

function unknownService({ services }: ServerStatus, service: string): MeshError {
  const near = closest(
    service,
    services.map((one) => one.service),
  );
  const meant = near === undefined ? '' : ` (did you mean "${near}"?)`;
  const message = `the mesh declares no service "${service}"${meant}`;
  return new MeshError('service-unknown', `${message}, and no sidecar of it was seen`, {
    hint: 'its services are the keys under "services" in mesh.yaml',
  });
}
