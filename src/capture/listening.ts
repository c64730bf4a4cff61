// Which TCP ports are listened on in this network namespace, and by whom, as Linux shows it under
// /proc. What can't be seen (another user's process, another container's) is simply not known.
import { readdir, readFile, readlink } from 'node:fs/promises';

export interface Listening {
  /** `0.0.0.0`, `10.0.0.7`, `::`, `2001:db8::7` */
  readonly address: string;
  readonly port: number;
  readonly userId: number;
  /** Of its socket. */
  readonly inode: string;
}

const LISTEN = '0A';

/** By port, then address. @param root Another place than /proc in tests. */
export async function listListening(root = '/proc'): Promise<readonly Listening[]> {
  const found: Listening[] = [];
  for (const file of ['tcp', 'tcp6']) {
    const text = await readFile(`${root}/net/${file}`, 'utf8').catch(() => '');
    for (const line of text.split('\n').slice(1)) {
      const [, local = '', , state, , , , userId = '', , inode = ''] = line.trim().split(/\s+/);
      const [hex = '', port = ''] = local.split(':');
      if (state !== LISTEN) continue;
      const [address, number] = [toAddress(hex), Number.parseInt(port, 16)];
      found.push({ address, port: number, userId: Number(userId), inode });
    }
  }
  return found.sort((a, b) => a.port - b.port || (a.address < b.address ? -1 : 1));
}

/** The kernel prints words of four bytes, each from its last byte to its first. */
function toAddress(hex: string): string {
  const words = hex.match(/.{8}/g) ?? [];
  const bytes = words.flatMap((word) => (word.match(/../g) ?? []).reverse());
  if (bytes.length === 4) return bytes.map((byte) => Number.parseInt(byte, 16)).join('.');
  const groups = Array.from({ length: 8 }, (_, i) => `${bytes[2 * i]}${bytes[2 * i + 1]}`);
  const [, host = ''] = /^\[(.*)\]$/.exec(new URL(`http://[${groups.join(':')}]`).hostname) ?? [];
  return host;
}

export function isLoopback({ address }: Pick<Listening, 'address'>): boolean {
  return address.startsWith('127.') || address === '::1' || address.startsWith('::ffff:7f');
}

/** The processes that hold these sockets: `node (pid 4711)` by inode. */
export async function findHolders(
  inodes: ReadonlySet<string>,
  root = '/proc',
): Promise<ReadonlyMap<string, string>> {
  const holders = new Map<string, string>();
  const pids = (await readdir(root).catch(() => [])).filter((name) => /^\d+$/.test(name));
  for (const pid of pids) {
    // Another user's, or ended meanwhile.
    const files = await readdir(`${root}/${pid}/fd`).catch(() => []);
    for (const file of files) {
      const target = await readlink(`${root}/${pid}/fd/${file}`).catch(() => '');
      const [, inode = ''] = /^socket:\[(\d+)\]$/.exec(target) ?? [];
      if (!inodes.has(inode) || holders.has(inode)) continue;
      const name = await readFile(`${root}/${pid}/comm`, 'utf8').catch(() => 'a program');
      holders.set(inode, `${name.trim()} (pid ${pid})`);
    }
  }
  return holders;
}
