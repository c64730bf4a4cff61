// Who holds an address of this server's own host, as Linux shows it under /proc: for a sidecar that
// can't bind one and runs beside the server. It is a help for whoever reads of it, so what can't be
// seen (another host, another user's process, another system) is simply not known.
import { networkInterfaces } from 'node:os';
import { findHolders, listListening } from '../../capture/index.js';

/** `python3 (pid 4711)`, `a process of user 33`; undefined: not to be seen from here. */
export type FindHolder = (socket: {
  /** Of whom wants to bind: only on this host it can be seen. */
  readonly peerAddress: string;
  /** `10.0.0.7:8080` */
  readonly address: string;
}) => Promise<string | undefined>;

/** `root` is another place than /proc in tests. */
export function createFindHolder(root = '/proc'): FindHolder {
  return async ({ peerAddress, address }) => {
    const [, host = '', port = ''] = /^\[?([^\]]*)\]?:(\d+)$/.exec(address) ?? [];
    if (port === '' || !isOwnAddress(peerAddress)) return undefined;
    const found = (await listListening(root)).find(
      (one) => one.port === Number(port) && standsInTheWay(one.address, host),
    );
    if (found === undefined) return undefined;
    const { inode, userId } = found;
    return (await findHolders(new Set([inode]), root)).get(inode) ?? `a process of user ${userId}`;
  };
}

/** Whether who listens at one address keeps others from `host`, which may be all addresses. */
function standsInTheWay(address: string, host: string): boolean {
  if (host === '::') return true;
  if (host === '0.0.0.0') return address === '::' || !address.includes(':');
  return address === host || address === '::' || (address === '0.0.0.0' && !host.includes(':'));
}

function isOwnAddress(address: string): boolean {
  const plain = address.replace(/^::ffff:/, '');
  if (plain.startsWith('127.') || plain === '::1') return true;
  return Object.values(networkInterfaces()).some((list) =>
    list?.some((one) => one.address === plain),
  );
}
