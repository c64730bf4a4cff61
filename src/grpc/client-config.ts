// One stream as CSDS reports it (ClientConfig). `config_status` is the server's view and
// `client_status` the client's, as far as its answers tell: `xds_config` is what the client has
// taken, and what it rejected stands in `error_state`. `version_info` is the resource's own
// version, since that of a response says nothing of one resource.
import { toSecondsAndNanos } from '../base/index.js';
import type { countersign } from '../gen/wire.js';
import {
  isJsonObject,
  type Json,
  type JsonObject,
  type Node,
  type Resource,
} from '../xds/index.js';
import type { DiscoveryStream } from './handle.js';
import type { ResourceStatus } from './resource-status.js';

type GenericXdsConfig = countersign.wire.ClientConfig.GenericXdsConfig;

/** envoy.admin.v3.ClientResourceStatus */
const CLIENT_STATUS = { requested: 1, 'does-not-exist': 2, acked: 3, rejected: 4 } as const;
/** envoy.service.status.v3.ConfigStatus */
const CONFIG_STATUS = { synced: 1, 'not-sent': 2, stale: 3, rejected: 4 } as const;

/** `contentOf`: what of a resource's content may be shown. */
export type ContentOf = (typeUrl: string, resource: Resource) => countersign.wire.Any | undefined;

export function toClientConfig(
  stream: DiscoveryStream<unknown>,
  contentOf: ContentOf,
): countersign.wire.ClientConfig {
  return {
    node: toWireNode(stream.node),
    genericXdsConfigs: stream.resources().map((status) => toGenericConfig(status, contentOf)),
  };
}

function toGenericConfig(status: ResourceStatus, contentOf: ContentOf): GenericXdsConfig {
  const { typeUrl, name, version, resource, ackedAtMs, rejection } = status;
  return {
    typeUrl,
    name,
    versionInfo: version,
    xdsConfig: resource && contentOf(typeUrl, resource),
    lastUpdated: toTimestamp(ackedAtMs),
    configStatus: CONFIG_STATUS[status.delivery],
    clientStatus: CLIENT_STATUS[status.state],
    errorState: rejection && {
      failedConfiguration: contentOf(typeUrl, rejection.resource),
      lastUpdateAttempt: toTimestamp(rejection.atMs),
      details: rejection.message,
      versionInfo: rejection.resource.version,
    },
  };
}

function toTimestamp(ms: number | undefined): countersign.wire.Timestamp | undefined {
  return ms === undefined ? undefined : toSecondsAndNanos(ms);
}

function toWireNode(node: Node): countersign.wire.Node {
  const { id, cluster, metadata, userAgentName, userAgentVersion } = node;
  return { id, cluster, metadata: toStruct(metadata), userAgentName, userAgentVersion };
}

function toStruct(json: JsonObject): countersign.wire.Struct {
  const fields = Object.entries(json).map(([key, value]) => [key, toValue(value)] as const);
  return { fields: Object.fromEntries(fields) };
}

function toValue(json: Json): countersign.wire.Value {
  if (typeof json === 'string') return { stringValue: json };
  if (typeof json === 'number') return { numberValue: json };
  if (typeof json === 'boolean') return { boolValue: json };
  if (json === null) return {};
  if (isJsonObject(json)) return { structValue: toStruct(json) };
  return { listValue: { values: json.map(toValue) } };
}
