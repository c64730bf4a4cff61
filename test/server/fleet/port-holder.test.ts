import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { createFindHolder } from '../../../src/server/fleet/port-holder.js';

const PEER = '127.0.0.1';
const HEADING = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt';
const line = (local: string, state: string, uid: number, inode: number): string =>
  `   0: ${local} 00000000:0000 ${state} 0:0 00:0 0 ${uid} 0 ${inode} 1`;

/** A /proc in which process 4711 has the sockets with these inodes. */
async function fakeProc(
  tcp: readonly string[],
  tcp6: readonly string[],
  inodes: readonly number[],
) {
  const root = await mkdtemp(join(tmpdir(), 'countersign-proc-'));
  onTestFinished(() => rm(root, { recursive: true }));
  await mkdir(join(root, 'net'));
  await writeFile(join(root, 'net/tcp'), [HEADING, ...tcp, ''].join('\n'));
  await writeFile(join(root, 'net/tcp6'), [HEADING, ...tcp6, ''].join('\n'));
  await mkdir(join(root, '4711/fd'), { recursive: true });
  await writeFile(join(root, '4711/comm'), 'python3\n');
  for (const inode of inodes) {
    await symlink(`socket:[${inode}]`, join(root, `4711/fd/${inode}`));
  }
  return createFindHolder(root);
}

const V6_ANY = '0'.repeat(32);

it('names the program that listens at the address, or at all of them', async () => {
  const find = await fakeProc(
    [line('0700000A:1F90', '0A', 0, 21), line('00000000:2328', '0A', 0, 22)],
    [line(`${V6_ANY}:2329`, '0A', 33, 23)],
    [21, 22],
  );
  const at = (address: string) => find({ peerAddress: PEER, address });
  expect(await at('10.0.0.7:8080')).toBe('python3 (pid 4711)');
  expect(await at('10.0.0.7:9000')).toBe('python3 (pid 4711)');
  // Another user's: its files can't be looked at.
  expect(await at('10.0.0.7:9001')).toBe('a process of user 33');
});

it('does not guess: another address, a connection, another host', async () => {
  const find = await fakeProc(
    [line('0800000A:1F90', '0A', 0, 21), line('0700000A:2328', '01', 0, 22)],
    [],
    [21, 22],
  );
  expect(await find({ peerAddress: PEER, address: '10.0.0.7:8080' })).toBeUndefined();
  expect(await find({ peerAddress: PEER, address: '10.0.0.7:9000' })).toBeUndefined();
  expect(await find({ peerAddress: '203.0.113.9', address: '10.0.0.8:8080' })).toBeUndefined();
  expect(await find({ peerAddress: PEER, address: 'nonsense' })).toBeUndefined();
});

it('names who keeps a sidecar from listening everywhere', async () => {
  const find = await fakeProc(
    [line('0700000A:1F90', '0A', 0, 21)],
    [line('B80D01200000000000000000010000000:2328'.slice(1), '0A', 0, 22)],
    [21, 22],
  );
  const at = (address: string) => find({ peerAddress: PEER, address });
  expect(await at('0.0.0.0:8080')).toBe('python3 (pid 4711)');
  expect(await at('[::]:8080')).toBe('python3 (pid 4711)');
  expect(await at('0.0.0.0:9000')).toBeUndefined();
  expect(await at('[::]:9000')).toBe('python3 (pid 4711)');
});

it('finds this process on this host', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as { port: number };
  const found = await createFindHolder()({ peerAddress: PEER, address: `127.0.0.1:${port}` });
  expect(found).toMatch(new RegExp(`\\(pid ${process.pid}\\)$`));
});
