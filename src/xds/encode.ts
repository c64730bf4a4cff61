// Responses as bytes, without encoding any resource twice. A protobuf message is a concatenation of fields
// (https://protobuf.dev/programming-guides/encoding), so a resource's field is a short header, kept once
// per resource and variant, and the resource's own bytes, shared by all streams.
import type { Variant } from './request.js';
import type { Resource } from './resource.js';
import type { Response } from './session.js';

/** Field numbers of envoy/service/discovery/v3/discovery.proto; all are length-delimited. */
const RESPONSE = { version: 1, resource: 2, typeUrl: 4, nonce: 5 } as const;
const REMOVED_RESOURCES = 6;
const RESOURCE = { version: 1, resource: 2, name: 3 } as const;
const ANY = { typeUrl: 1, value: 2 } as const;
const LENGTH_DELIMITED = 2;

/** DiscoveryResponse or DeltaDiscoveryResponse bytes. */
export function encodeResponse(variant: Variant, response: Response): Buffer {
  const { typeUrl, resources } = response;
  const parts: Uint8Array[] = [headOf(response)];
  for (const resource of resources) {
    parts.push(headerOf(variant, typeUrl, resource), resource.value);
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

function sotwHeader(typeUrl: string, { value }: Resource): Buffer {
  const any = anyHeader(typeUrl, value.length);
  return Buffer.concat([Buffer.from(prefix(RESPONSE.resource, any.length + value.length)), any]);
}

function deltaHeader(typeUrl: string, { name, version, value }: Resource): Buffer {
  const any = anyHeader(typeUrl, value.length);
  const inner = Buffer.concat([
    textField(RESOURCE.version, version),
    textField(RESOURCE.name, name),
    Buffer.from(prefix(RESOURCE.resource, any.length + value.length)),
    any,
  ]);
  return Buffer.concat([
    Buffer.from(prefix(RESPONSE.resource, inner.length + value.length)),
    inner,
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

/** Tag and length of a length-delimited field (field numbers below 16: a tag of one byte). */
function prefix(field: number, length: number): readonly number[] {
  const bytes = [(field << 3) | LENGTH_DELIMITED];
  let rest = length;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  bytes.push(rest);
  return bytes;
}
