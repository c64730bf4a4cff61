// The library as the public suite's target: an xDS server on the first port given, and on the
// second the suite's Adapter service, by which it sets what the server is to have. The third
// argument is the suite's folder. Insecure, as the suite's client is, and on 127.0.0.1 alone.
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { loadPackageDefinition, Server, ServerCredentials } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { envoy } from '../../dist/gen/api.js';
import {
  ALL_SERVICES,
  attachDiscovery,
  createResource,
  createResourceSet,
  createSnapshotCache,
  EMPTY_SET,
  serverOptions,
  TYPE_URLS,
} from '../../dist/grpc/library.js';

const [xdsPort, adapterPort, suite] = process.argv.slice(2);
const TYPES = ['cluster', 'listener', 'route', 'endpoint'];

const cache = createSnapshotCache({ groupOf: (stream) => stream.node.id });

/** A small message of that type and name; another `revision` has other bytes. */
function resourceOf(typeUrl, name, revision) {
  const bytes = {
    [TYPE_URLS.cluster]: () =>
      envoy.config.cluster.v3.Cluster.encode({ name, altStatName: revision }),
    [TYPE_URLS.listener]: () =>
      envoy.config.listener.v3.Listener.encode({ name, statPrefix: revision }),
    [TYPE_URLS.route]: () =>
      envoy.config.route.v3.RouteConfiguration.encode({ name, internalOnlyHeaders: [revision] }),
    [TYPE_URLS.endpoint]: () =>
      envoy.config.endpoint.v3.ClusterLoadAssignment.encode({
        clusterName: name,
        policy: { overprovisioningFactor: { value: 100 + revision.length } },
      }),
  }[typeUrl];
  if (bytes === undefined)
    throw new Error(`expected a type that the suite tests but got ${typeUrl}`);
  return createResource({ name, value: bytes().finish() });
}

const nameOf = {
  [TYPE_URLS.cluster]: (value) => envoy.config.cluster.v3.Cluster.decode(value).name,
  [TYPE_URLS.listener]: (value) => envoy.config.listener.v3.Listener.decode(value).name,
  [TYPE_URLS.route]: (value) => envoy.config.route.v3.RouteConfiguration.decode(value).name,
  [TYPE_URLS.endpoint]: (value) =>
    envoy.config.endpoint.v3.ClusterLoadAssignment.decode(value).clusterName,
};

/** Puts a set of its type in force, under the version that the suite names. */
function change({ node, typeUrl, version }, edit) {
  const snapshot = new Map(cache.get(node) ?? []);
  const resources = new Map((snapshot.get(typeUrl) ?? EMPTY_SET).resources);
  edit(resources);
  snapshot.set(typeUrl, createResourceSet([...resources.values()], version));
  cache.set(node, snapshot);
}

const adapter = {
  setState({ node, version, resources }) {
    const sets = TYPES.map((type) => {
      const typeUrl = TYPE_URLS[type];
      const named = resources.filter(({ type_url }) => type_url === typeUrl);
      const made = named.map(({ value }) => resourceOf(typeUrl, nameOf[typeUrl](value), ''));
      return [typeUrl, createResourceSet(made, version)];
    });
    cache.set(node, new Map(sets));
    return { success: true };
  },
  clearState({ node }) {
    cache.clear(node);
    return { response: 'cleared' };
  },
  updateResource(request) {
    const { typeUrl, resourceName, version } = request;
    change(request, (all) => all.set(resourceName, resourceOf(typeUrl, resourceName, version)));
    return { success: true };
  },
  addResource: (request) => adapter.updateResource(request),
  removeResource(request) {
    change(request, (all) => all.delete(request.resourceName));
    return { success: true };
  },
};

// The suite writes a request on one connection and an edit on another right after it, and takes for
// granted that the request is there first.
const SETTLE_MS = 200;

function unary(handler) {
  return async ({ request }, answer) => {
    await setTimeout(SETTLE_MS);
    try {
      answer(null, handler(request));
    } catch (error) {
      answer(error);
    }
  };
}

function listen(server, port) {
  return new Promise((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
}

const xds = new Server(serverOptions());
attachDiscovery(xds, {
  services: ALL_SERVICES,
  authenticate: () => 'anybody',
  hooks: cache.hooks,
});
const definition = loadSync(join(suite, 'api/adapter/adapter.proto'), {
  keepCase: true,
  arrays: true,
});
const { service } = loadPackageDefinition(definition).adapter.Adapter;
const control = new Server();
control.addService(
  service,
  Object.fromEntries(Object.entries(adapter).map(([name, handler]) => [name, unary(handler)])),
);
await listen(xds, xdsPort);
await listen(control, adapterPort);
process.stdout.write('ready\n');
