// Who a client claims to be. Only what the server uses is kept: Envoy's first request is about
// 62 kB, nearly all of it the list of its extensions, which is skipped while decoding and never
// retained.
import type { countersign } from '../gen/wire.js';

/** A node's metadata as JSON. */
export type Json = string | number | boolean | null | readonly Json[] | JsonObject;

export type JsonObject = { readonly [key: string]: Json };

export function isJsonObject(json: Json | undefined): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

/** envoy.config.core.v3.Node, in part. What it claims proves nothing. */
export interface Node {
  readonly id: string;
  readonly cluster: string;
  readonly metadata: JsonObject;
  readonly userAgentName: string;
  /** `1.40.0`, of `user_agent_version` or of `user_agent_build_version`; empty where not given. */
  readonly userAgentVersion: string;
  /** Well-known names such as `xds.config.supports-resource-ttl`. */
  readonly clientFeatures?: readonly string[];
}

/** Deeper metadata is left out. */
const MAX_METADATA_DEPTH = 16;

/** The node of a first request. */
export function toNode(node: countersign.wire.Node): Node {
  const version = node.userAgentBuildVersion?.version;
  const build = version
    ? `${version.majorNumber ?? 0}.${version.minorNumber ?? 0}.${version.patch ?? 0}`
    : '';
  return {
    id: node.id ?? '',
    cluster: node.cluster ?? '',
    metadata: toObject(node.metadata, MAX_METADATA_DEPTH),
    userAgentName: node.userAgentName ?? '',
    userAgentVersion: node.userAgentVersion || build,
    ...(node.clientFeatures?.length && { clientFeatures: node.clientFeatures }),
  };
}

function toObject(struct: countersign.wire.Struct | undefined | null, depth: number): JsonObject {
  // fromEntries defines own properties, `__proto__` too.
  const entries = Object.entries(struct?.fields ?? {});
  return Object.fromEntries(
    entries.flatMap(([key, value]) => {
      const json = toJson(value, depth);
      return json === undefined ? [] : [[key, json]];
    }),
  );
}

function toJson(value: countersign.wire.Value, depth: number): Json | undefined {
  if (typeof value.stringValue === 'string') return value.stringValue;
  if (typeof value.numberValue === 'number') return value.numberValue;
  if (typeof value.boolValue === 'boolean') return value.boolValue;
  if (value.structValue && depth > 0) return toObject(value.structValue, depth - 1);
  if (value.listValue && depth > 0) {
    return (value.listValue.values ?? []).map((item) => toJson(item, depth - 1) ?? null);
  }
  return undefined;
}
