// XXH64 with seed 0, by which Envoy makes a number of a version
// (https://github.com/Cyan4973/xxHash/blob/v0.8.2/doc/xxhash_spec.md#xxh64-algorithm-description).
// It is no cryptography: equal hashes are a hint, and nobody's right depends on them.

const P1 = 0x9e37_79b1_85eb_ca87n;
const P2 = 0xc2b2_ae3d_27d4_eb4fn;
const P3 = 0x1656_67b1_9e37_79f9n;
const P4 = 0x85eb_ca77_c2b2_ae63n;
const P5 = 0x27d4_eb2f_1656_67c5n;

const LANE_BYTES = 8;
const STRIPE_BYTES = 4 * LANE_BYTES;

const wrap = (value: bigint): bigint => BigInt.asUintN(64, value);
const rotate = (value: bigint, by: bigint): bigint => wrap(value << by) | (value >> (64n - by));
const round = (sum: bigint, lane: bigint): bigint => wrap(rotate(wrap(sum + lane * P2), 31n) * P1);
const mix = (value: bigint, by: bigint): bigint => value ^ (value >> by);

export function xxHash64(bytes: Buffer): bigint {
  let at = bytes.length - (bytes.length % STRIPE_BYTES);
  let hash = wrap((at === 0 ? P5 : hashStripes(bytes, at)) + BigInt(bytes.length));
  for (; at + LANE_BYTES <= bytes.length; at += LANE_BYTES) {
    hash = wrap(rotate(hash ^ round(0n, bytes.readBigUInt64LE(at)), 27n) * P1 + P4);
  }
  if (at + 4 <= bytes.length) {
    hash = wrap(rotate(hash ^ wrap(BigInt(bytes.readUInt32LE(at)) * P1), 23n) * P2 + P3);
    at += 4;
  }
  for (const byte of bytes.subarray(at)) {
    hash = wrap(rotate(hash ^ wrap(BigInt(byte) * P5), 11n) * P1);
  }
  return mix(wrap(mix(wrap(mix(hash, 33n) * P2), 29n) * P3), 32n);
}

/** Of as many bytes as make whole stripes. */
function hashStripes(bytes: Buffer, end: number): bigint {
  const sums = [wrap(P1 + P2), P2, 0n, wrap(-P1)];
  for (let at = 0; at < end; at += LANE_BYTES) {
    const lane = (at / LANE_BYTES) % sums.length;
    sums[lane] = round(sums[lane] ?? 0n, bytes.readBigUInt64LE(at));
  }
  const shifts = [1n, 7n, 12n, 18n];
  const joined = wrap(sums.reduce((all, sum, n) => all + rotate(sum, shifts[n] ?? 0n), 0n));
  return sums.reduce((all, sum) => wrap((all ^ round(0n, sum)) * P1 + P4), joined);
}
