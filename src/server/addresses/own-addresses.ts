import { networkInterfaces } from 'node:os';
import { type Clock, SECOND_MS } from '../../base/index.js';
import { tryIpAddress } from './ip-address.js';

const KEEP_MS = 10 * SECOND_MS;

/** Tells the addresses of this machine; they change seldom, and are read again now and then. */
export function createOwnAddresses(
  clock: Pick<Clock, 'now'>,
  interfaces: typeof networkInterfaces = networkInterfaces,
): (address: string) => boolean {
  let known: ReadonlySet<string> = new Set();
  let readAtMs = Number.NEGATIVE_INFINITY;
  return (address) => {
    const nowMs = clock.now();
    if (Math.abs(nowMs - readAtMs) >= KEEP_MS) {
      known = new Set(toAddresses(interfaces()));
      readAtMs = nowMs;
    }
    return known.has(address);
  };
}

function toAddresses(interfaces: ReturnType<typeof networkInterfaces>): readonly string[] {
  return Object.values(interfaces)
    .flatMap((list = []) => list.map(({ address }) => tryIpAddress(address.split('%')[0])))
    .filter((address) => address !== undefined);
}
