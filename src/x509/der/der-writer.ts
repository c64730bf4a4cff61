// A small writer of DER (X.690) for what X.509 uses: certificates, requests, revocation lists. A
// value is its bytes, so parts that never change are encoded once and embedded as they are. It
// knows nothing of certificates and shares nothing with `der-reader.ts`, which reads back and
// checks what this wrote.
import assert from 'node:assert';

/** Identifier octets, for `derValue`. */
export const DER_TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

const CONTEXT = 0x80;
const CONSTRUCTED = 0x20;
const MAX_TAG_NUMBER = 30;
/** From 2050 on, times are GeneralizedTime (RFC 5280 4.1.2.5). */
const GENERALIZED_FROM_MS = Date.UTC(2050, 0, 1);
const END_MS = Date.UTC(10_000, 0, 1);

/** A value: identifier octet, length in its shortest form, and the parts, one after another. */
export function derValue(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  let length = 0;
  for (const part of parts) length += part.length;
  const lengthBytes = length < 0x80 ? 0 : Math.ceil((32 - Math.clz32(length)) / 8);
  const der = Buffer.allocUnsafe(2 + lengthBytes + length);
  der[0] = tag;
  der[1] = lengthBytes === 0 ? length : 0x80 | lengthBytes;
  if (lengthBytes > 0) der.writeUIntBE(length, 2, lengthBytes);
  let at = 2 + lengthBytes;
  for (const part of parts) {
    der.set(part, at);
    at += part.length;
  }
  return der;
}

export function derSequence(...parts: readonly Uint8Array[]): Buffer {
  return derValue(DER_TAG.sequence, ...parts);
}

/** SET OF: DER sorts the elements by their encodings (X.690 11.6). */
export function derSetOf(...parts: readonly Uint8Array[]): Buffer {
  return derValue(DER_TAG.set, ...[...parts].sort(Buffer.compare));
}

/** `[number]` with one value or several inside: EXPLICIT, or IMPLICIT of a constructed type. */
export function derContext(number: number, ...parts: readonly Uint8Array[]): Buffer {
  return derValue(contextTag(number) | CONSTRUCTED, ...parts);
}

/** `[number]` IMPLICIT of a primitive type, by its content. */
export function derContextPrimitive(number: number, content: Uint8Array): Buffer {
  return derValue(contextTag(number), content);
}

export const DER_TRUE = derValue(DER_TAG.boolean, Buffer.of(0xff));
export const DER_NULL = derValue(DER_TAG.null);

/** INTEGER, not negative: unsigned, most significant byte first. */
export function derInteger(unsigned: Uint8Array): Buffer {
  let at = 0;
  while (at < unsigned.length - 1 && unsigned[at] === 0) at++;
  const digits = unsigned.subarray(at);
  if (digits.length === 0) return derValue(DER_TAG.integer, Buffer.of(0));
  // A set first bit would make it negative.
  const isHigh = ((digits[0] ?? 0) & 0x80) !== 0;
  return isHigh
    ? derValue(DER_TAG.integer, Buffer.of(0), digits)
    : derValue(DER_TAG.integer, digits);
}

/** OBJECT IDENTIFIER from its dotted form. */
export function derOid(dotted: string): Buffer {
  assert(/^[0-2](\.(0|[1-9]\d{0,14}))+$/.test(dotted), `not an object identifier: ${dotted}`);
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  assert(first === 2 || second < 40, `not an object identifier: ${dotted}`);
  const content = [first * 40 + second, ...rest].flatMap(toBase128);
  return derValue(DER_TAG.oid, Buffer.from(content));
}

export function derOctetString(content: Uint8Array): Buffer {
  return derValue(DER_TAG.octetString, content);
}

/** BIT STRING of whole bytes, the last of which has `unusedBits` at its low end. */
export function derBitString(bytes: Uint8Array, unusedBits = 0): Buffer {
  return derValue(DER_TAG.bitString, Buffer.of(unusedBits), bytes);
}

/** BIT STRING of named bits, such as KeyUsage: without zero bits at its end (X.690 11.2.2). */
export function derNamedBits(bits: readonly number[]): Buffer {
  const last = Math.max(-1, ...bits);
  const bytes = Buffer.alloc((last + 8) >> 3);
  for (const bit of bits) bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (0x80 >> (bit & 7));
  return derBitString(bytes, bytes.length * 8 - (last + 1));
}

export function derUtf8String(text: string): Buffer {
  return derValue(DER_TAG.utf8String, Buffer.from(text, 'utf8'));
}

/** UTCTime until 2049, GeneralizedTime from 2050 on, in whole seconds (RFC 5280 4.1.2.5). */
export function derTime(timeMs: number): Buffer {
  assert(timeMs >= 0 && timeMs < END_MS, `a time from 1970 to 9999: ${timeMs}`);
  const iso = new Date(timeMs).toISOString();
  const digits =
    iso.slice(0, 4) + iso.slice(5, 7) + iso.slice(8, 10) + iso.slice(11, 13) + iso.slice(14, 16);
  const text = `${digits}${iso.slice(17, 19)}Z`;
  return timeMs < GENERALIZED_FROM_MS
    ? derValue(DER_TAG.utcTime, Buffer.from(text.slice(2), 'latin1'))
    : derValue(DER_TAG.generalizedTime, Buffer.from(text, 'latin1'));
}

function contextTag(number: number): number {
  assert(number >= 0 && number <= MAX_TAG_NUMBER, 'a context tag of one byte');
  return CONTEXT | number;
}

/** Seven bits a byte, most significant first, the high bit set on all but the last. */
function toBase128(arc: number): readonly number[] {
  const bytes = [arc % 128];
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) {
    bytes.unshift(0x80 | (rest % 128));
  }
  return bytes;
}
