/** As far as a bootstrap's way to its xDS server goes. */
interface Bootstrap {
  readonly dynamic_resources?: {
    readonly ads_config?: { readonly grpc_services?: readonly { envoy_grpc?: object }[] };
  };
}

/**
 * The same bootstrap, whose Envoy comes back to its server within a second: by default it lets up
 * to 30 s pass between two tries, for which nobody should have to wait.
 */
export function reconnectingSoon<T extends object>(bootstrap: T): T {
  const copy = structuredClone(bootstrap);
  const { dynamic_resources: resources } = copy as Bootstrap;
  const services = resources?.ads_config?.grpc_services ?? [];
  if (services.length === 0) throw new Error('expected a bootstrap with ADS but got none');
  const retry_back_off = { base_interval: '0.25s', max_interval: '1s' };
  for (const service of services) {
    service.envoy_grpc = { ...service.envoy_grpc, retry_policy: { retry_back_off } };
  }
  return copy;
}
