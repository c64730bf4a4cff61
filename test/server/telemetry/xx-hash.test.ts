// XXH64 by the vectors of its author (xxHash's sanity check, seed 0), and by Envoy's own gauge.
import { expect, it } from 'vitest';
import { toVersionHash } from '../../../src/server/telemetry/sample.js';
import { xxHash64 } from '../../../src/server/telemetry/xx-hash.js';

/** The bytes of the sanity check: the top byte of a number that is multiplied on and on. */
function sanityBytes(length: number): Buffer {
  let number = 2_654_435_761n;
  return Buffer.from(
    Array.from({ length }, () => {
      const byte = Number(number >> 56n);
      number = BigInt.asUintN(64, number * 11_400_714_785_074_694_797n);
      return byte;
    }),
  );
}

it.each([
  [0, 'ef46db3751d8e999'],
  [1, 'e934a84adb052768'],
  [4, '9136a0dca57457ee'],
  [14, '8282dcc4994e35c8'],
  [31, '299b39a290e6d783'],
  [32, '18b216492bb44b70'],
  [33, '55c8dc3e578f5b59'],
  [63, 'a9efbe0fa0f3f4e7'],
  [64, 'ef558f8acac2b5cd'],
  [101, 'a51ea2101b2d114c'],
  [222, 'b641ae8cb691c174'],
])('of %i bytes', (length, hex) => {
  expect(xxHash64(sanityBytes(length)).toString(16).padStart(16, '0')).toBe(hex);
});

it('of a version, what an Envoy 1.40 showed of it in listener_manager.lds.version', () => {
  expect(toVersionHash('bb03f455bc31e0d0')).toBe(Number(3_263_641_626_399_236_478n));
});
