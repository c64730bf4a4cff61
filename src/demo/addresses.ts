// Which addresses and ports a run binds. Each run has a /16 of its own between 127.128.0.0 and
// 127.254.0.0 (outside the mesh's default outbound prefix 127.64.0.0/10 and 127.0.0.1), so runs
// don't disturb each other. A socket bound in the block holds it: the kernel decides who has it,
// and frees it when the process ends.
import { createServer, type Server } from 'node:net';
import { MeshError, type Random, systemErrorCode, systemRandom } from '../base/index.js';

const FIRST_BLOCK = 128;
const BLOCKS = 127;
const CLAIM_PORT = 15_999;
/** Below Linux's ephemeral ports (32768), which outgoing connections take at random. */
const FIRST_PORT = 20_000;
const LAST_PORT = 29_999;

/** Addresses and ports on loopback that nobody else uses. */
export interface AddressPool {
  /** A fresh address: every port on it is free, except those that somebody has on 0.0.0.0. */
  address(): string;
  /** A fresh /24, such as `127.130.7.0/24`, for `bootstrap --outbound`. */
  block(): string;
  /** A port that nothing listens on at `address`, and that was not handed out for it before. */
  port(address: string): Promise<number>;
  /** `wanted` if nothing listens on it (or on 0.0.0.0), else another one, as from `port`. */
  preferred(address: string, wanted: number): Promise<number>;
  /** Gives the block back. */
  close(): Promise<void>;
}

export async function createAddressPool(random: Random = systemRandom): Promise<AddressPool> {
  const { block, claim } = await claimBlock(random);
  const nextPort = new Map<string, number>();
  let addresses = 0;
  let blocks = 0;
  const port = async (address: string): Promise<number> => {
    for (let next = nextPort.get(address) ?? FIRST_PORT; next <= LAST_PORT; next++) {
      nextPort.set(address, next + 1);
      if (await isFree(address, next)) return next;
    }
    throw exhausted(`ports of ${address}`);
  };
  return {
    address() {
      addresses++;
      if (addresses > 250) throw exhausted('addresses');
      return `127.${block}.0.${addresses}`;
    },
    block() {
      blocks++;
      if (blocks > 250) throw exhausted('blocks');
      return `127.${block}.${blocks}.0/24`;
    },
    port,
    preferred: async (address, wanted) =>
      (await isFree(address, wanted)) ? wanted : port(address),
    close: () => close(claim),
  };
}

async function claimBlock(random: Random): Promise<{ block: number; claim: Server }> {
  const start = Math.floor(random.fraction() * BLOCKS);
  for (let step = 0; step < BLOCKS; step++) {
    const block = FIRST_BLOCK + ((start + step) % BLOCKS);
    const claim = await tryListen(`127.${block}.255.254`, CLAIM_PORT);
    if (claim !== undefined) return { block, claim: claim.unref() };
  }
  throw exhausted('/16 blocks of 127.0.0.0/8');
}

function exhausted(what: string): MeshError {
  return new MeshError('resource-limit', `expected free ${what} but all are in use`);
}

/** A listening server, or undefined if the address is taken; rejects on other failures. */
function tryListen(host: string, port: number): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error) => {
      if (systemErrorCode(error) === 'EADDRINUSE') resolve(undefined);
      else reject(unusable(host, error));
    });
    server.listen({ host, port, exclusive: true }, () => resolve(server));
  });
}

async function isFree(host: string, port: number): Promise<boolean> {
  const server = await tryListen(host, port);
  if (server === undefined) return false;
  await close(server);
  return true;
}

function unusable(host: string, error: unknown): unknown {
  if (systemErrorCode(error) !== 'EADDRNOTAVAIL') return error;
  return new MeshError(
    'address-in-use',
    `expected to listen on ${host} but this host doesn't have that address`,
    {
      cause: error,
      hint: 'all of 127.0.0.0/8 is needed, as on Linux; elsewhere run this in a container',
    },
  );
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
