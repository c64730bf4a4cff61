// What Envoy is to have, as named bytes: a listener, and its routes, which answer with `text`.
import { envoy } from 'countersign/envoy';
import { createResource, createSnapshot, TYPE_URLS } from 'countersign/xds';

const { core, listener, route } = envoy.config;
const { HttpConnectionManager } = envoy.extensions.filters.network.http_connection_manager.v3;
const { Router } = envoy.extensions.filters.http.router.v3;
const FILTERS = 'type.googleapis.com/envoy.extensions.filters';

const toFilter = (name, encoder, message) => ({
  name,
  typedConfig: { type_url: `${FILTERS}.${name}`, value: encoder.encode(message).finish() },
});

const toResource = (encoder, message) =>
  createResource({ name: message.name, value: encoder.encode(message).finish() });

function toListener(port) {
  const http = toFilter(
    'network.http_connection_manager.v3.HttpConnectionManager',
    HttpConnectionManager,
    {
      statPrefix: 'front',
      rds: {
        configSource: { ads: {}, resourceApiVersion: core.v3.ApiVersion.V3 },
        routeConfigName: 'routes',
      },
      httpFilters: [toFilter('http.router.v3.Router', Router, {})],
    },
  );
  return {
    name: 'front',
    address: { socketAddress: { address: '127.0.0.1', portValue: port } },
    filterChains: [{ filters: [http] }],
  };
}

function toRoutes(text) {
  const answer = { status: 200, body: { inlineString: `${text}\n` } };
  const all = { name: 'all', domains: ['*'] };
  const routes = [{ match: { prefix: '/' }, directResponse: answer }];
  return { name: 'routes', virtualHosts: [{ ...all, routes }] };
}

/** Equal content has equal versions: what didn't change is not sent again. */
export function toSnapshot({ text, port }) {
  return createSnapshot([
    [TYPE_URLS.listener, [toResource(listener.v3.Listener, toListener(port))]],
    [TYPE_URLS.route, [toResource(route.v3.RouteConfiguration, toRoutes(text))]],
  ]);
}
