// Responses as bytes, without encoding any resource twice. A protobuf message is a concatenation of
// fields (https://protobuf.dev/programming-guides/encoding), so a resource's field is a short
// header, kept once per resource and variant, and the resource's own bytes, shared by all streams.
import { toSecondsAndNanos } from '../base/index.js';
import type { Variant } from './request.js';
import type { Resource } from './resource.js';
import type { Response } from './response.js';

/** Field numbers of envoy/service/discovery/v3/discovery.proto; all are length-delimited. */
const RESPONSE = { version: 1, resource: 2, typeUrl: 4, nonce: 5 } as const;
const REMOVED_RESOURCES = 6;
const RESOURCE = { version: 1, resource: 2, name: 3, aliases: 4, ttl: 6 } as const;
/** What a resource with a TTL is wrapped in, in SotW. */
const RESOURCE_TYPE_URL = 'type.googleapis.com/envoy.service.discovery.v3.Resource';
/** google.protobuf.Duration; both are varints. */
const DURATION = { seconds: 1, nanos: 2 } as const;
const ANY = { typeUrl: 1, value: 2 } as const;
const LENGTH_DELIMITED = 2;

/** DiscoveryResponse or DeltaDiscoveryResponse bytes. */
export function encodeResponse(variant: Variant, response: Response): Buffer {
  const { typeUrl, resources } = response;
  const parts: Uint8Array[] = [headOf(response)];
  for (const resource of resources) {
    parts.push(headerOf(variant, typeUrl, resource), resource.value);
  }
  for (const beat of response.heartbeats) parts.push(bytesField(RESPONSE.resource, toHead(beat)));
  for (const name of response.unresolved ?? []) {
    const fields = [textField(RESOURCE.name, name), textField(RESOURCE.aliases, name)];
    parts.push(bytesField(RESPONSE.resource, Buffer.concat(fields)));
  }
  const removed = variant === 'delta' ? response.removed : [];
  for (const name of removed) parts.push(textField(REMOVED_RESOURCES, name));
  parts.push(textField(RESPONSE.nonce, response.nonce));
  return Buffer.concat(parts);
}

/** Of the response encoded last: a push writes the same one to every stream. */
let lastHead = { version: '', typeUrl: '', bytes: Buffer.alloc(0) };

/** Version and type, which have the same fields in both variants. */
function headOf({ version, typeUrl }: Response): Buffer {
  if (lastHead.version !== version || lastHead.typeUrl !== typeUrl) {
    const bytes = Buffer.concat([
      textField(RESPONSE.version, version),
      textField(RESPONSE.typeUrl, typeUrl),
    ]);
    lastHead = { version, typeUrl, bytes };
  }
  return lastHead.bytes;
}

interface Headers {
  readonly typeUrl: string;
  sotw?: Buffer;
  delta?: Buffer;
}

const headers = new WeakMap<Resource, Headers>();

/** All of a resource's field but its value, which comes last. */
function headerOf(variant: Variant, typeUrl: string, resource: Resource): Buffer {
  let known = headers.get(resource);
  if (known === undefined || known.typeUrl !== typeUrl) {
    known = { typeUrl };
    headers.set(resource, known);
  }
  known[variant] ??=
    variant === 'sotw' ? sotwHeader(typeUrl, resource) : deltaHeader(typeUrl, resource);
  return known[variant];
}

function sotwHeader(typeUrl: string, resource: Resource): Buffer {
  const { length } = resource.value;
  const any = anyHeader(typeUrl, length);
  if (resource.ttlMs === undefined) return enclose(RESPONSE.resource, any, length);
  const wrapped = enclose(RESOURCE.resource, any, length);
  const inner = Buffer.concat([toHead(resource), wrapped]);
  const outer = Buffer.concat([anyHeader(RESOURCE_TYPE_URL, inner.length + length), inner]);
  return enclose(RESPONSE.resource, outer, length);
}

function deltaHeader(typeUrl: string, resource: Resource): Buffer {
  const { length } = resource.value;
  const any = enclose(RESOURCE.resource, anyHeader(typeUrl, length), length);
  return enclose(RESPONSE.resource, Buffer.concat([toHead(resource), any]), length);
}

/** The field of a message of which `head` is given and `rest` bytes follow. */
function enclose(field: number, head: Buffer, rest: number): Buffer {
  return Buffer.concat([Buffer.from(prefix(field, head.length + rest)), head]);
}

/** All of envoy.service.discovery.v3.Resource but its body. */
function toHead({ name, version, ttlMs }: Resource): Buffer {
  const fields = [textField(RESOURCE.version, version), textField(RESOURCE.name, name)];
  if (ttlMs !== undefined) fields.push(bytesField(RESOURCE.ttl, toDuration(ttlMs)));
  return Buffer.concat(fields);
}

function toDuration(ms: number): Buffer {
  const { seconds, nanos } = toSecondsAndNanos(ms);
  return Buffer.from([
    DURATION.seconds << 3,
    ...varint(seconds),
    DURATION.nanos << 3,
    ...varint(nanos),
  ]);
}

/** google.protobuf.Any up to its value's first byte. */
function anyHeader(typeUrl: string, valueLength: number): Buffer {
  return Buffer.concat([
    textField(ANY.typeUrl, typeUrl),
    Buffer.from(prefix(ANY.value, valueLength)),
  ]);
}

function textField(field: number, text: string): Buffer {
  const length = Buffer.byteLength(text);
  const start = prefix(field, length);
  const bytes = Buffer.allocUnsafe(start.length + length);
  bytes.set(start);
  bytes.write(text, start.length);
  return bytes;
}

function bytesField(field: number, bytes: Buffer): Buffer {
  return enclose(field, bytes, 0);
}

/** Tag and length of a length-delimited field (field numbers below 16: a tag of one byte). */
function prefix(field: number, length: number): readonly number[] {
  return [(field << 3) | LENGTH_DELIMITED, ...varint(length)];
}

/** Base-128 groups, least first; of a whole number up to 2^53. */
function varint(value: number): readonly number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return bytes;
}
