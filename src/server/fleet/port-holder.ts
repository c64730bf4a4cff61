// Who holds an address of this server's own host, as Linux shows it under /proc: for a sidecar that
// can't bind one and runs beside the server. It is a help for whoever reads of it, so what can't be
// seen (another host, another user's process, another system) is simply not known.
import { readdir, readFile, readlink } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';

/** `python3 (pid 4711)`, `a process of user 33`; undefined: not to be seen from here. */
export type FindHolder = (socket: {
  /** Of whom wants to bind: only on this host it can be seen. */
  readonly peerAddress: string;
  /** `10.0.0.7:8080` */
  readonly address: string;
}) => Promise<string | undefined>;

const LISTEN = '0A';

interface Listening {
  readonly userId: string;
  readonly inode: string;
}

/** `root` is another place than /proc in tests. */
export function createFindHolder(root = '/proc'): FindHolder {
  return async ({ peerAddress, address }) => {
    const [, host = '', port = ''] = /^\[?([^\]]*)\]?:(\d+)$/.exec(address) ?? [];
    if (port === '' || !isOwnAddress(peerAddress)) return undefined;
    try {
      const found = await findListening(root, { host, port: Number(port) });
      if (found === undefined) return undefined;
      return (await findProcess(root, found.inode)) ?? `a process of user ${found.userId}`;
    } catch {
      return undefined;
    }
  };
}

function isOwnAddress(address: string): boolean {
  const plain = address.replace(/^::ffff:/, '');
  if (plain.startsWith('127.') || plain === '::1') return true;
  return Object.values(networkInterfaces()).some((list) =>
    list?.some((one) => one.address === plain),
  );
}

async function findListening(
  root: string,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<Listening | undefined> {
  const isV6 = host.includes(':');
  // Whoever listens at one address keeps others from listening at all of them.
  const isAny = host === '0.0.0.0' || host === '::';
  const wanted = isV6 ? [WILDCARD_V6] : [toHexV4(host), WILDCARD_V4, WILDCARD_V6];
  for (const file of ['tcp', 'tcp6']) {
    const text = await readFile(`${root}/net/${file}`, 'utf8').catch(() => '');
    for (const line of text.split('\n').slice(1)) {
      const [, local = '', , state, , , , userId = '', , inode = ''] = line.trim().split(/\s+/);
      const [hex = '', hexPort = ''] = local.split(':');
      if (state !== LISTEN || Number.parseInt(hexPort, 16) !== port) continue;
      if (wanted.includes(hex) || (isAny && (isV6 || file === 'tcp'))) return { userId, inode };
    }
  }
  return undefined;
}

const WILDCARD_V4 = '00000000';
const WILDCARD_V6 = '0'.repeat(32);

/** As the kernel prints an address: its bytes from the last to the first. */
function toHexV4(host: string): string {
  return host
    .split('.')
    .reverse()
    .map((part) => Number(part).toString(16).padStart(2, '0').toUpperCase())
    .join('');
}

async function findProcess(root: string, inode: string): Promise<string | undefined> {
  const wanted = `socket:[${inode}]`;
  for (const pid of (await readdir(root)).filter((name) => /^\d+$/.test(name))) {
    // Another user's, or ended meanwhile.
    const files = await readdir(`${root}/${pid}/fd`).catch(() => []);
    for (const file of files) {
      const target = await readlink(`${root}/${pid}/fd/${file}`).catch(() => '');
      if (target !== wanted) continue;
      const name = await readFile(`${root}/${pid}/comm`, 'utf8').catch(() => 'a program');
      return `${name.trim()} (pid ${pid})`;
    }
  }
  return undefined;
}
