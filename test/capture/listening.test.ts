import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { findHolders, isLoopback, listListening } from '../../src/capture/index.js';

const HEAD = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid';
const line = (local: string, state: string, uid: number, inode: number): string =>
  `   0: ${local} 0:0 ${state} 0:0 00:0 0 ${uid} 0 ${inode} 1`;
const V6 = '00000000000000000000000000000000:0050';
const OWN_V6 = 'B80D0120000000000000000007000000:0051';

function makeProc(): string {
  const root = mkdtempSync(join(tmpdir(), 'countersign-proc-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(join(root, 'net'), { recursive: true });
  const v4 = [HEAD, line('00000000:1F90', '0A', 33, 111), line('0100007F:0CEA', '0A', 0, 112)];
  // Established, so that nobody listens there.
  writeFileSync(join(root, 'net/tcp'), [...v4, line('0700000A:0016', '01', 0, 9)].join('\n'));
  const v6 = [HEAD, line(V6, '0A', 0, 113), line(OWN_V6, '0A', 0, 114)];
  writeFileSync(join(root, 'net/tcp6'), v6.join('\n'));
  mkdirSync(join(root, '42/fd'), { recursive: true });
  symlinkSync('socket:[111]', join(root, '42/fd/3'));
  symlinkSync('/dev/null', join(root, '42/fd/4'));
  writeFileSync(join(root, '42/comm'), 'nginx\n');
  return root;
}

test('what listens in this namespace, by port', async () => {
  const root = makeProc();
  expect(await listListening(root)).toEqual([
    { address: '::', port: 80, userId: 0, inode: '113' },
    { address: '2001:db8::7', port: 81, userId: 0, inode: '114' },
    { address: '127.0.0.1', port: 3306, userId: 0, inode: '112' },
    { address: '0.0.0.0', port: 8080, userId: 33, inode: '111' },
  ]);
});

test('the process of a socket, where it can be seen', async () => {
  const found = await findHolders(new Set(['111', '112']), makeProc());
  expect([...found]).toEqual([['111', 'nginx (pid 42)']]);
});

test('loopback is loopback in either family', () => {
  const loopback = ['127.0.0.1', '127.9.9.9', '::1', '::ffff:7f00:1'];
  expect(loopback.every((address) => isLoopback({ address }))).toBe(true);
  expect(['0.0.0.0', '::', '10.0.0.7'].some((address) => isLoopback({ address }))).toBe(false);
});
