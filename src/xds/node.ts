// Who a client claims to be. Only what the server uses is kept: Envoy's first request is about
// 62 kB, nearly all of it the list of its extensions, which is skipped while decoding and never
// retained.
import { MeshError } from '../base/index.js';
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

/** Characters of an id, a cluster, a user agent. */
const MAX_TEXT = 1_024;
/** Characters of all keys and texts of the metadata, and of all client features, together. */
const MAX_METADATA = 65_536;

/**
 * The node of a first request. It is kept as long as the stream is, so it is bounded.
 * @throws MeshError resource-limit
 */
export function toNode(node: countersign.wire.Node): Node {
  assertSizes(node);
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

function assertSizes(node: countersign.wire.Node): void {
  const { id, cluster, userAgentName, userAgentVersion } = node;
  for (const [name, text] of Object.entries({ id, cluster, userAgentName, userAgentVersion })) {
    const size = text?.length ?? 0;
    if (size > MAX_TEXT) throw tooLarge(`a node's ${name}`, MAX_TEXT, size);
  }
  const features = node.clientFeatures ?? [];
  const size = sizeOf(node.metadata) + features.reduce((sum, text) => sum + text.length, 0);
  if (size > MAX_METADATA) throw tooLarge("a node's metadata", MAX_METADATA, size);
}

function tooLarge(what: string, limit: number, got: number): MeshError {
  return new MeshError(
    'resource-limit',
    `expected ${what} to have at most ${limit} characters but got ${got}`,
  );
}

/** Each value counts as one character more, so that empty ones are counted too. */
function sizeOf(struct: countersign.wire.Struct | undefined | null): number {
  let size = 0;
  // No recursion: a client chooses the depth.
  const left: unknown[] = [struct];
  for (let value = left.pop(); value !== undefined || left.length > 0; value = left.pop()) {
    if (typeof value === 'string') size += value.length;
    if (typeof value !== 'object' || value === null) continue;
    for (const [key, inner] of Object.entries(value)) {
      size += 1 + (Array.isArray(value) ? 0 : key.length);
      left.push(inner);
    }
    if (size > MAX_METADATA) return size;
  }
  return size;
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
