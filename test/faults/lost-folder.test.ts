// The data folder taken from under the built command: unmounted (in a mount namespace of the
// server's own), or replaced by another mesh's folder.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import type { ServerStatus, WaitAnswer } from '../../src/server/status/index.js';
import { FREE_PORTS, PROGRAM, READY, startForTest } from '../harness/process.js';
import { runHere } from './command.js';
import { newPlace, type Place, readAll, writeMesh } from './every-step.js';
import { useOnce } from './restart.js';

/** What a mount namespace takes; none: no right to make one. */
const CAN_MOUNT =
  spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;

async function used(place: Place): Promise<void> {
  writeMesh(place);
  await useOnce(place);
  await runHere('revoke', 'web', '--data', place.data, '--server', '127.0.0.1:9');
}

async function startServer({ mesh, data }: Place, mount: boolean) {
  const serve = [PROGRAM, 'serve', '--mesh', mesh, '--data', data, ...FREE_PORTS];
  const made = `${data}.made`;
  const mounted = `mount -t tmpfs -o mode=0700 tmpfs ${data} && cp -a ${made}/. ${data}/`;
  const script = `${mounted} && exec "$@"`;
  const command = mount ? 'unshare' : process.execPath;
  const args = mount ? ['-m', 'sh', '-c', script, 'sh', process.execPath, ...serve] : serve;
  const server = await startForTest({ name: 'countersign serve', command, args });
  onTestFinished(() => server.child.signal('SIGKILL'));
  expect(await server.printed(READY), server.stderr()).toBe(true);
  const [, , admin = ''] = READY.exec(server.stdout()) ?? [];
  const status = async (): Promise<ServerStatus> => {
    await fetch(`http://${admin}/v1/wait?timeout_ms=0`);
    return (await fetch(`http://${admin}/v1/status`)).json() as Promise<ServerStatus>;
  };
  const metrics = async () => (await fetch(`http://${admin}/metrics`)).text();
  return { server, admin, status, metrics };
}

it.runIf(CAN_MOUNT)(
  'unmounted under a running server, it lifts no revocation',
  async () => {
    const place = newPlace();
    await used(place);
    renameSync(place.data, `${place.data}.made`);
    mkdirSync(place.data, { mode: 0o700 });
    const { server, status, metrics } = await startServer(place, true);
    expect((await status()).revocations).toMatchObject([{ subject: 'web' }]);
    const { pid } = server.child;
    const umount = ['-t', `${pid}`, '-m', 'umount', '-l', place.data];
    expect(spawnSync('nsenter', umount).status).toBe(0);
    const { revocations, warnings } = await status();
    expect(revocations).toMatchObject([{ subject: 'web' }]);
    expect(warnings.map(({ text }) => text)).toContainEqual(
      expect.stringContaining(`the data folder ${place.data} is another than the one`),
    );
    expect(await metrics()).toContain('countersign_trouble{kind="data-folder"} 1');
    expect(server.stderr()).toContain('was taken away under the server');
    // What lies below the mount point stays empty: nothing is written into another folder.
    expect(readAll(place.data).size).toBe(0);
  },
  30_000,
);

it("another mesh's folder in its place is neither read nor written", async () => {
  const place = newPlace();
  await used(place);
  const other = newPlace();
  writeMesh(other);
  await useOnce(other);
  const { server, admin, status } = await startServer(place, false);
  const wait = async (ms: number) =>
    (await fetch(`http://${admin}/v1/wait?timeout_ms=${ms}`)).json() as Promise<WaitAnswer>;
  expect(await wait(5_000)).toMatchObject({ inForce: true });
  renameSync(place.data, `${place.data}.away`);
  cpSync(other.data, place.data, { recursive: true });
  const before = readAll(place.data);
  const { revocations } = await status();
  expect(revocations).toMatchObject([{ subject: 'web' }]);
  await vi.waitFor(async () => expect((await status()).warnings).not.toEqual([]), 5_000);
  // An edit is stored before it is in force: there is nowhere to store it.
  const edited = join(place.dir, 'edited.yaml');
  writeFileSync(edited, readFileSync(place.mesh, 'utf8').replace('8080', '8081'));
  renameSync(edited, place.mesh);
  await vi.waitFor(() => expect(server.stderr()).toContain('moved away or replaced'), 10_000);
  expect(await wait(100)).toMatchObject({ inForce: false });
  expect(toTexts(readAll(place.data))).toEqual(toTexts(before));
}, 30_000);

function toTexts(files: ReadonlyMap<string, Buffer>): Record<string, string> {
  return Object.fromEntries([...files].map(([name, content]) => [name, content.toString('utf8')]));
}
