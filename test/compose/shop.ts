// The web shop of envoy-examples/09-compose-file-meshed, as a test runs it: whatever its users do,
// and a stranger beside it.
import { chmod, cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { httpCall } from '../../src/demo/http-client.js';
import { docker, ROOT } from './docker.js';
import { openProject, type Project } from './project.js';
import { startStranger } from './stranger.js';

const EXAMPLE = join(ROOT, 'envoy-examples/09-compose-file-meshed');
export const STRANGER = 'shop-stranger';

export interface Shop {
  readonly project: Project;
  /** What came of everything that its users do, in words. Rejects where something fails. */
  useIt(): Promise<Readonly<Record<string, string>>>;
  /** What came of a look into the database, by its published port. */
  lookIn(password: string): Promise<'let in' | 'refused' | 'wrong password'>;
  /** Which replicas of the catalog answer, of so many calls. */
  replicas(calls: number): Promise<ReadonlySet<string>>;
  close(): Promise<void>;
}

interface Wire {
  query(url: string, sql: string): Promise<readonly (readonly string[])[]>;
}

export async function openShop(): Promise<Shop> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-shop-'));
  await chmod(folder, 0o755);
  await cp(EXAMPLE, folder, { recursive: true });
  const [port, databasePort] = [await freePort(), await freePort()];
  await writeFile(join(folder, '.env'), `SHOP_PORT=${port}\nDB_PORT=${databasePort}\n`);
  const project = openProject(folder, {});
  const { query } = (await import(pathToFileURL(join(EXAMPLE, 'app/wire.mjs')).href)) as Wire;
  const ask = async (path: string, body?: string): Promise<string> => {
    const method = body === undefined ? {} : { method: 'POST', body };
    const answer = await httpCall({
      address: '127.0.0.1',
      port,
      path,
      timeoutMs: 8_000,
      ...method,
    });
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.body}`);
    return answer.body.trim();
  };
  let orders = 0;
  return {
    project,
    async useIt() {
      orders += 1;
      const ordered = await ask('/orders', `lamp-${orders}`);
      const packed = await untilPacked(ask, `lamp-${orders}`);
      return {
        page: await ask('/'),
        products: (await ask('/products')).replace(/ \(.*/, ''),
        ordered: ordered.replace(/\d+/, 'n'),
        packed: packed.replace(/^.*packed by \w+/, 'packed'),
        admin: (await ask('/admin/')).replace(/\d+/, 'n'),
      };
    },
    async lookIn(password) {
      const url = `postgres://shop:${password}@127.0.0.1:${databasePort}/shop`;
      try {
        await query(url, 'select 1');
        return 'let in';
      } catch (error) {
        return String(error).includes('password') ? 'wrong password' : 'refused';
      }
    },
    async replicas(calls) {
      const answers = await Promise.all(Array.from({ length: calls }, () => ask('/products')));
      return new Set(answers.map((answer) => /\(by (\w+)\)/.exec(answer)?.[1] ?? ''));
    },
    async close() {
      await docker('rm', '--force', STRANGER).catch(() => '');
      await project.compose('down', '--volumes', '--remove-orphans', '--timeout', '1');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

type Ask = (path: string) => Promise<string>;

async function untilPacked(ask: Ask, name: string): Promise<string> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const line = (await ask('/orders')).split('\n').find((one) => one.startsWith(`${name} `));
    if (line !== undefined) return line;
  }
  throw new Error(`${name} was not packed`);
}

/** On both networks of the shop. */
export async function sendStranger(shop: Shop, targets: readonly string[]): Promise<void> {
  const wire = join(shop.project.folder, 'app');
  await startStranger({ name: STRANGER, networks: ['shop_back', 'shop_front'], wire }, targets);
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
      server.close(() => resolve(port));
    });
  });
}
