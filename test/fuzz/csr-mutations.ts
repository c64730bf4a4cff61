// Certificate requests that are broken on purpose: bytes flipped, cut, put in, moved, and the games
// that lengths and tags of DER allow. All of it follows from the seed.
import type { Random } from '../../src/base/index.js';

export class CsrMutations {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** One or a few mutations of a request in DER; never the request itself. */
  mutate(der: Buffer): Buffer {
    let mutated = der;
    const count = 1 + this.below(3);
    for (let i = 0; i < count || mutated.equals(der); i++) mutated = this.#once(mutated);
    return mutated;
  }

  below(limit: number): number {
    return Math.floor(this.#random.fraction() * limit);
  }

  #once(bytes: Buffer): Buffer {
    const at = this.below(bytes.length + 1);
    const [head, tail] = [bytes.subarray(0, at), bytes.subarray(at)];
    switch (this.below(9)) {
      case 0:
        return this.#set(bytes, at, (byte) => byte ^ (1 << this.below(8)));
      case 1:
        return this.#set(bytes, at, () => this.below(256));
      case 2:
        return Buffer.from(head);
      case 3:
        return Buffer.concat([head, this.#random.bytes(1 + this.below(16)), tail]);
      case 4:
        return Buffer.concat([head, tail.subarray(1 + this.below(8))]);
      case 5:
        return Buffer.concat([bytes, bytes.subarray(0, at)]);
      case 6:
        // A piece of it stands where another did.
        return Buffer.concat([head, bytes.subarray(this.below(bytes.length)), tail]);
      case 7:
        return this.#length(bytes);
      default:
        return this.#random.bytes(this.below(300));
    }
  }

  #set(bytes: Buffer, at: number, change: (byte: number) => number): Buffer {
    const changed = Buffer.from(bytes);
    const index = Math.min(at, changed.length - 1);
    if (index >= 0) changed[index] = change(changed[index] ?? 0);
    return changed;
  }

  /** A length too long, indefinite, huge, or off by a few, where a value begins. */
  #length(bytes: Buffer): Buffer {
    const starts = [...bytes.keys()].filter((i) =>
      [0x30, 0x31, 0x02, 0x03].includes(bytes[i] ?? 0),
    );
    const at = (starts[this.below(starts.length)] ?? 0) + 1;
    const length = bytes[at] ?? 0;
    const games = [
      [0x80],
      [0x81, length],
      [0x82, 0, length],
      [0x84, 0xff, 0xff, 0xff, 0xff],
      [0x85, 0, 0, 0, 0, length],
      [0xff],
      [(length + this.below(7) - 3) & 0xff],
    ];
    const game = Buffer.from(games[this.below(games.length)] ?? []);
    return Buffer.concat([bytes.subarray(0, at), game, bytes.subarray(at + 1)]);
  }
}
