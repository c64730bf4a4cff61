import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  contentOf,
  readBits,
  readBoolean,
  readChildren,
  readDer,
  readOid,
  readTimeMs,
  TAG,
} from '../../src/x509/der/der-reader.js';
import {
  DER_NULL,
  DER_TRUE,
  derBitString,
  derContext,
  derContextPrimitive,
  derInteger,
  derNamedBits,
  derOctetString,
  derOid,
  derSequence,
  derSetOf,
  derTime,
  derUtf8String,
  derValue,
} from '../../src/x509/der/der-writer.js';

const RUNS = { seed: 5, numRuns: 300 };

describe('DER, written', () => {
  it.each([
    { name: 'null', der: DER_NULL, hex: '0500' },
    { name: 'true', der: DER_TRUE, hex: '0101ff' },
    { name: 'integer 0', der: derInteger(Buffer.of(0)), hex: '020100' },
    { name: 'integer of no bytes', der: derInteger(Buffer.alloc(0)), hex: '020100' },
    { name: 'integer 127', der: derInteger(Buffer.of(127)), hex: '02017f' },
    { name: 'integer 128', der: derInteger(Buffer.of(128)), hex: '02020080' },
    { name: 'integer, zeros first', der: derInteger(Buffer.of(0, 0, 1, 0)), hex: '02020100' },
    { name: 'oid', der: derOid('1.2.840.113549.1.1.11'), hex: '06092a864886f70d01010b' },
    { name: 'oid under 2', der: derOid('2.999.3'), hex: '0603883703' },
    { name: 'key usage, bit 0', der: derNamedBits([0]), hex: '03020780' },
    { name: 'key usage, bits 5 and 6', der: derNamedBits([5, 6]), hex: '03020106' },
    { name: 'key usage, bit 8', der: derNamedBits([8]), hex: '0303070080' },
    { name: 'key usage, none', der: derNamedBits([]), hex: '030100' },
    { name: 'utf8', der: derUtf8String('é'), hex: '0c02c3a9' },
    { name: 'context', der: derContext(3, DER_NULL), hex: 'a3020500' },
    { name: 'context, primitive', der: derContextPrimitive(2, Buffer.from('a')), hex: '820161' },
    { name: 'set', der: derSetOf(derInteger(Buffer.of(9)), DER_NULL), hex: '31050201090500' },
    { name: 'set, sorted', der: derSetOf(DER_NULL, DER_TRUE), hex: '31050101ff0500' },
    {
      name: '2049 is UTCTime',
      der: derTime(Date.UTC(2049, 11, 31, 23, 59, 59)),
      hex: `170d${Buffer.from('491231235959Z').toString('hex')}`,
    },
    {
      name: '2050 is GeneralizedTime, without a fraction',
      der: derTime(Date.UTC(2050, 0, 1) + 999),
      hex: `180f${Buffer.from('20500101000000Z').toString('hex')}`,
    },
  ])('$name', ({ der, hex }) => {
    expect(der.toString('hex')).toBe(hex);
  });

  it.each([127, 128, 255, 256, 65_535, 65_536])(
    'a length of %i is in its shortest form',
    (size) => {
      const content = Buffer.alloc(size, 7);
      expect(readDer(derOctetString(content)).content).toEqual(content);
    },
  );

  it('is read back by the strict reader as what went in', () => {
    const oid = fc
      .tuple(
        fc.constantFrom(0, 1, 2),
        fc.nat({ max: 39 }),
        fc.array(fc.nat({ max: 2 ** 31 - 1 }), { minLength: 1, maxLength: 6 }),
      )
      .map(([first, second, rest]) => [first, second, ...rest].join('.'));
    fc.assert(
      fc.property(
        oid,
        fc.integer({ min: 0, max: Date.UTC(2199, 0, 1) / 1000 }),
        fc.uniqueArray(fc.nat({ max: 8 })),
        fc.uint8Array({ maxLength: 300 }),
        (dotted, seconds, bits, bytes) => {
          const parts = [
            derOid(dotted),
            derTime(seconds * 1000),
            derNamedBits(bits),
            derBitString(bytes),
            DER_TRUE,
          ];
          const values = readChildren(readDer(derSequence(...parts)), TAG.sequence);
          const [oidValue, time, named, raw, flag] = values;
          expect(readOid(oidValue)).toBe(dotted);
          expect(readTimeMs(time)).toBe(seconds * 1000);
          expect(named && [...readBits(named)]).toEqual([...bits].sort((a, b) => a - b));
          expect(contentOf(raw, TAG.bitString).subarray(1)).toEqual(Buffer.from(bytes));
          expect(flag && readBoolean(flag)).toBe(true);
        },
      ),
      RUNS,
    );
  });

  it('is the same to openssl', () => {
    const der = derSequence(
      derOid('2.5.29.17'),
      derInteger(Buffer.from('ff00000000000001', 'hex')),
      derSetOf(derUtf8String('name')),
      derContext(0, derTime(Date.UTC(2050, 0, 1))),
      derValue(0x04, Buffer.alloc(200)),
    );
    const text = execFileSync('openssl', ['asn1parse', '-inform', 'DER', '-i'], { input: der });
    const lines = text.toString().trim().split('\n');
    expect(lines.map((line) => line.replace(/^.*: /, '').replace(/\s+/g, ' ').trim())).toEqual([
      'SEQUENCE',
      'OBJECT :X509v3 Subject Alternative Name',
      'INTEGER :FF00000000000001',
      'SET',
      'UTF8STRING :name',
      'cont [ 0 ]',
      'GENERALIZEDTIME :20500101000000Z',
      expect.stringMatching(/^OCTET STRING \[HEX DUMP\]:0{400}$/),
    ]);
  });

  it.each(['', '1', '3.1', '1.40', '1.02', '1.2.', 'a.b'])('%j is no oid', (dotted) => {
    expect(() => derOid(dotted)).toThrow('not an object identifier');
  });

  it.each([-1, Number.NaN, Date.UTC(10_000, 0, 1)])('%d is no time', (timeMs) => {
    expect(() => derTime(timeMs)).toThrow('a time from 1970 to 9999');
  });
});
