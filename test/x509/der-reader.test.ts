import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  readBitString,
  readBits,
  readBoolean,
  readDer,
  readInteger,
  readNumber,
  readOid,
  readTimeMs,
} from '../../src/x509/der/der-reader.js';
import { derInteger, derNamedBits, derOid } from '../../src/x509/der/der-writer.js';

// Every byte is accounted for: a form that another reader may take for something else is refused.

const value = (hex: string) => readDer(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
const ascii = (text: string): string => Buffer.from(text, 'latin1').toString('hex');

describe('a value', () => {
  it.each([
    ['of nothing', ''],
    ['without a length', '05'],
    ['that ends early', '04 03 0102'],
    ['with bytes after it', '05 00 00'],
    ['of indefinite length', '30 80 0500 0000'],
    ['of a length that is reserved', '04 ff 00'],
    ['of a length in 5 bytes', '04 85 0000000001 00'],
    ['of a long length for under 128', '04 81 01 00'],
    ['of a long length with a zero first', `04 82 0080 ${'00'.repeat(128)}`],
    ['whose length ends early', '04 82 01'],
    ['of a tag in several bytes', '1f 1f 00'],
    ['of a context tag in several bytes', 'bf 8101 00'],
  ])('is refused: %s', (_, hex) => {
    expect(() => value(hex)).toThrow('not valid DER');
  });
});

describe('an object identifier', () => {
  it.each([
    ['0603551d11', '2.5.29.17'],
    ['06092a864886f70d01010b', '1.2.840.113549.1.1.11'],
    ['0603883703', '2.999.3'],
    ['060100', '0.0'],
    ['0602557f', '2.5.127'],
  ])('%s is %s', (hex, dotted) => {
    expect(readOid(value(hex))).toBe(dotted);
  });

  it('under 2.25 is a UUID: more than a number of JavaScript holds', () => {
    const digits = '83f89bac81d8ffd6b0efdfecb3c5eadd91aa';
    const [one, other] = ['58', '59'].map((last) => readOid(value(`061469${digits}${last}`)));
    expect(one).toMatch(/^2\.25\.\d{36,}$/);
    expect(other).not.toBe(one);
  });

  it.each([
    ['of no bytes', '0600'],
    ['cut within an arc', '0603551d91'],
    ['cut within its first arc', '060188'],
    ['with an arc that begins with a zero digit', '0604551d8011'],
    ['whose first arc begins with a zero digit', '0603805511'],
  ])('is refused: %s', (_, hex) => {
    expect(() => readOid(value(hex))).toThrow('not valid DER: expected an object identifier');
  });

  it('has one encoding: what can be read is what is written for it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0, maxLength: 7 }), (bytes) => {
        const der = Buffer.from([0x06, bytes.length, ...bytes]);
        let dotted: string;
        try {
          dotted = readOid(readDer(der));
        } catch {
          return;
        }
        expect(derOid(dotted)).toEqual(der);
      }),
      { seed: 5, numRuns: 2_000 },
    );
  });
});

describe('a bit string', () => {
  it.each([
    ['0300', 'of no bytes'],
    ['03020880', 'with more than seven unused bits'],
    ['0302ff00', 'with more than seven unused bits'],
    ['030101', 'with unused bits of no byte'],
    ['03020781', 'whose unused bits are not zero'],
    ['0303 01 8001', 'whose unused bits are not zero'],
  ])('is refused: %s, %s', (hex) => {
    expect(() => readBits(value(hex))).toThrow('not valid DER: expected a bit string');
    expect(() => readBitString(value(hex))).toThrow('not valid DER: expected a bit string');
  });

  it.each([
    ['030100', 0, []],
    ['03020780', 7, [0]],
    ['03020106', 1, [5, 6]],
    ['0303070080', 7, [8]],
    ['030200ff', 0, [0, 1, 2, 3, 4, 5, 6, 7]],
  ])('%s is read', (hex, unusedBits, bits) => {
    expect([...readBits(value(hex))]).toEqual(bits);
    expect(readBitString(value(hex)).unusedBits).toBe(unusedBits);
  });

  it('of named bits is read as it was written', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat({ max: 20 })), (bits) => {
        const read = [...readBits(readDer(derNamedBits(bits)))];
        expect(read).toEqual([...bits].sort((a, b) => a - b));
      }),
    );
  });
});

describe('an integer', () => {
  it.each([
    ['0200', 'of no bytes'],
    ['02020001', 'with a zero byte too many'],
    ['0202007f', 'with a zero byte too many'],
    ['0202ff80', 'with a sign byte too many'],
    ['0202ffff', 'with a sign byte too many'],
  ])('is refused: %s, %s', (hex) => {
    expect(() => readInteger(value(hex))).toThrow('not valid DER: expected an integer');
  });

  it('negative or large is no small number', () => {
    for (const hex of ['0201ff', '020180', '02050100000000']) {
      expect(() => readNumber(value(hex))).toThrow('not valid DER: expected a number');
    }
    expect([readNumber(value('020100')), readNumber(value('02020080'))]).toEqual([0, 128]);
  });

  it('is read as it was written', () => {
    fc.assert(
      fc.property(fc.nat(), (number) => {
        const bytes = Buffer.alloc(4);
        bytes.writeUInt32BE(number);
        expect(readNumber(readDer(derInteger(bytes)))).toBe(number);
      }),
    );
  });
});

describe('a boolean', () => {
  it.each(['0100', '010101', '0101fe', '01020000', '0102ffff'])('is refused: %s', (hex) => {
    expect(() => readBoolean(value(hex))).toThrow('not valid DER: expected a boolean');
  });

  it('is 00 or ff', () => {
    expect([readBoolean(value('010100')), readBoolean(value('0101ff'))]).toEqual([false, true]);
  });
});

describe('a time', () => {
  const utc = (text: string) =>
    value(`17${text.length.toString(16).padStart(2, '0')}${ascii(text)}`);
  const general = (text: string) =>
    value(`18${text.length.toString(16).padStart(2, '0')}${ascii(text)}`);

  it.each([
    ['without seconds', utc('2601010000Z')],
    ['with an offset', utc('260101000000+0100')],
    ['without a zone', utc('260101000000')],
    ['in lower case', utc('260101000000z')],
    ['of a day that is none', utc('260230000000Z')],
    ['of a leap second', utc('261231235960Z')],
    ['of the hour 24', utc('260101240000Z')],
    ['with a space', utc(' 60101000000Z')],
    ['generalized, before 2050', general('20491231235959Z')],
    ['generalized, with a fraction', general('20500101000000.5Z')],
    ['generalized, with an offset', general('20500101000000+0000')],
    ['generalized, in the form of a UTCTime', general('500101000000Z')],
    ['UTCTime, in the form of a GeneralizedTime', utc('20260101000000Z')],
  ])('is refused: %s', (_, time) => {
    expect(() => readTimeMs(time)).toThrow('not valid DER');
  });

  it('is read', () => {
    expect(readTimeMs(utc('260101000000Z'))).toBe(Date.UTC(2026, 0, 1));
    expect(readTimeMs(utc('500101000000Z'))).toBe(Date.UTC(1950, 0, 1));
    expect(readTimeMs(general('20500101000000Z'))).toBe(Date.UTC(2050, 0, 1));
  });
});
