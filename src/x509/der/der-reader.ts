// A small strict reader of DER (X.690), independent of the encoder that signs. It reads what X.509
// uses: one-byte tags, definite minimal lengths, every byte accounted for. Anything else is an
// error: where two readers could disagree about a certificate, one of them can be fooled.
import { MeshError } from '../../base/index.js';

export interface DerValue {
  /** The identifier octet, class and constructed bit included. */
  readonly tag: number;
  readonly content: Buffer;
  /** The whole value with tag and length. */
  readonly der: Buffer;
}

/** Identifier octets. Context-specific ones are `0x80 | number`, constructed `0xa0 | number`. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
} as const;

/** The one value that fills `der`. @throws MeshError certificate-invalid */
export function readDer(der: Buffer): DerValue {
  const { value, end } = readAt(der, 0);
  if (end !== der.length) throw broken(`one value but got ${der.length - end} more bytes`);
  return value;
}

/**
 * The values that fill the content of a constructed value.
 * @throws MeshError certificate-invalid
 */
export function readChildren(parent: DerValue, tag?: number): readonly DerValue[] {
  if (tag !== undefined) expectTag(parent, tag);
  const children: DerValue[] = [];
  let at = 0;
  while (at < parent.content.length) {
    const { value, end } = readAt(parent.content, at);
    children.push(value);
    at = end;
  }
  return children;
}

/** The content of a value that must have `tag`. @throws MeshError certificate-invalid */
export function contentOf(value: DerValue | undefined, tag: number): Buffer {
  if (value === undefined) throw broken(`tag ${tag} but got nothing`);
  expectTag(value, tag);
  return value.content;
}

/** Identifiers that were read before, by their bytes: every certificate has the same few. */
const READ_OIDS = new Map<string, string>();
const READ_OIDS_LIMIT = 64;

/** An OBJECT IDENTIFIER in dotted form. @throws MeshError certificate-invalid */
export function readOid(value: DerValue | undefined): string {
  const content = contentOf(value, TAG.oid);
  const bytes = content.toString('latin1');
  const known = READ_OIDS.get(bytes);
  if (known !== undefined) return known;
  const dotted = toDotted(content);
  if (READ_OIDS.size < READ_OIDS_LIMIT) READ_OIDS.set(bytes, dotted);
  return dotted;
}

function toDotted(content: Buffer): string {
  const arcs: (number | bigint)[] = [];
  let start = 0;
  let arc = 0;
  for (let at = 0; at < content.length; at++) {
    const byte = content[at] ?? 0;
    if (at === start && byte === 0x80) throw broken('an object identifier in its shortest form');
    arc = arc * 128 + (byte & 0x7f);
    if (byte >= 0x80) continue;
    // A number holds seven digits of seven bits; arcs that are UUIDs have more.
    const isLong = at - start >= 7;
    arcs.push(isLong ? toLongArc(content.subarray(start, at + 1)) : arc);
    start = at + 1;
    arc = 0;
  }
  const [first, ...rest] = arcs;
  if (first === undefined || start < content.length) {
    throw broken('an object identifier but its bytes end');
  }
  const top = first < 40 ? 0 : first < 80 ? 1 : 2;
  const second = typeof first === 'bigint' ? first - BigInt(top * 40) : first - top * 40;
  return [top, second, ...rest].join('.');
}

function toLongArc(digits: Buffer): bigint {
  return digits.reduce((sum, byte) => sum * 128n + BigInt(byte & 0x7f), 0n);
}

/** A BOOLEAN; DER knows 0x00 and 0xff only. @throws MeshError certificate-invalid */
export function readBoolean(value: DerValue): boolean {
  const content = contentOf(value, TAG.boolean);
  if (content.length === 1 && (content[0] === 0 || content[0] === 0xff)) return content[0] === 0xff;
  throw broken('a boolean but got other bytes');
}

/**
 * The content bytes of an INTEGER, two's complement in its shortest form.
 * @throws MeshError certificate-invalid
 */
export function readInteger(value: DerValue | undefined): Buffer {
  const content = contentOf(value, TAG.integer);
  const [first, second] = content;
  if (first === undefined) throw broken('an integer but got no bytes');
  // Nine equal bits at its front: the first byte says nothing.
  const isHigh = second !== undefined && second >= 0x80;
  if (second !== undefined && (isHigh ? first === 0xff : first === 0)) {
    throw broken('an integer in its shortest form');
  }
  return content;
}

const MAX_NUMBER_BYTES = 4;

/** An INTEGER that counts something: from 0 to 2^31 - 1. @throws MeshError certificate-invalid */
export function readNumber(value: DerValue | undefined): number {
  const content = readInteger(value);
  if (content.length > MAX_NUMBER_BYTES || (content[0] ?? 0) >= 0x80) {
    throw broken(`a number of at most ${MAX_NUMBER_BYTES} bytes that is not negative`);
  }
  return content.readUIntBE(0, content.length);
}

/** The last of `bytes` has `unusedBits` at its low end, all zero. */
export interface BitString {
  readonly unusedBits: number;
  readonly bytes: Buffer;
}

/** @throws MeshError certificate-invalid */
export function readBitString(value: DerValue | undefined): BitString {
  const content = contentOf(value, TAG.bitString);
  const unusedBits = content[0];
  const bytes = content.subarray(1);
  if (unusedBits === undefined) throw broken('a bit string but got no bytes');
  if (unusedBits > (bytes.length === 0 ? 0 : 7)) {
    throw broken(`a bit string but got one with ${unusedBits} unused bits`);
  }
  const padding = (bytes.at(-1) ?? 0) & ((1 << unusedBits) - 1);
  if (padding !== 0) throw broken('a bit string whose unused bits are zero');
  return { unusedBits, bytes };
}

/** Numbers of the bits that are set in a BIT STRING. @throws MeshError certificate-invalid */
export function readBits(value: DerValue): ReadonlySet<number> {
  const { bytes } = readBitString(value);
  const bits = new Set<number>();
  for (let i = 0; i < bytes.length * 8; i++) {
    if (((bytes[i >> 3] ?? 0) & (0x80 >> (i & 7))) !== 0) bits.add(i);
  }
  return bits;
}

/**
 * A UTCTime or GeneralizedTime of RFC 5280 4.1.2.5, in ms.
 * @throws MeshError certificate-invalid
 */
export function readTimeMs(value: DerValue | undefined): number {
  const isShort = value?.tag === TAG.utcTime;
  const text = contentOf(value, isShort ? TAG.utcTime : TAG.generalizedTime).toString('latin1');
  const digits = isShort ? `${Number(text.slice(0, 2)) < 50 ? '20' : '19'}${text}` : text;
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(digits);
  if (match === null) throw broken('a time of whole seconds in UTC but got another form');
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match
    .slice(1)
    .map(Number);
  if (!isShort && year < 2050) throw broken('UTCTime until 2049 but got GeneralizedTime');
  const timeMs = Date.UTC(year, month - 1, day, hour, minute, second);
  const read = new Date(timeMs);
  // Date.UTC carries what is too much into the next unit.
  const isDay = read.getUTCMonth() === month - 1 && read.getUTCDate() === day;
  if (!isDay || hour > 23 || minute > 59 || second > 59) {
    throw broken('a time of the calendar but got another');
  }
  return timeMs;
}

function readAt(bytes: Buffer, start: number): { value: DerValue; end: number } {
  const tag = bytes[start];
  const first = bytes[start + 1];
  if (tag === undefined || first === undefined) throw broken('a value but the bytes end');
  if ((tag & 0x1f) === 0x1f) throw broken('a one-byte tag but got a longer one');
  let at = start + 2;
  let length = first;
  if (first >= 0x80) {
    const count = first & 0x7f;
    if (count === 0 || count > 4) throw broken('a definite length but got another form');
    length = bytes.subarray(at, at + count).reduce((sum, byte) => sum * 256 + byte, 0);
    at += count;
    if (length < 0x80 || length < 256 ** (count - 1)) throw broken('a length in its shortest form');
  }
  const end = at + length;
  if (end > bytes.length) throw broken('a value but the bytes end');
  return { value: { tag, content: bytes.subarray(at, end), der: bytes.subarray(start, end) }, end };
}

function expectTag(value: DerValue, tag: number): void {
  if (value.tag !== tag) throw broken(`tag ${tag} but got ${value.tag}`);
}

function broken(expected: string): MeshError {
  return new MeshError('certificate-invalid', `not valid DER: expected ${expected}`);
}
