import { execFileSync } from 'node:child_process';
import { appendFileSync, chownSync, mkdtempSync, rmSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { eventually, withDeadline } from '../../src/demo/wait.js';
import type { Harness } from './index.js';

/** It refuses to run as root; the package's own user is there wherever Debian's package is. */
const USER = 'postgres';

function asUser(program: string, args: readonly string[]): { command: string; args: string[] } {
  if (process.getuid?.() !== 0) return { command: program, args: [...args] };
  const drop = [`--reuid=${USER}`, `--regid=${USER}`, '--clear-groups', '--inh-caps=-all'];
  return { command: 'setpriv', args: [...drop, program, ...args] };
}

const idOf = (flag: '-u' | '-g'): number => Number(execFileSync('id', [flag, USER]).toString());

export interface PostgresOptions {
  /** The folder of its programs. */
  readonly bin: string;
  readonly address: string;
  readonly port: number;
  /** Whom it believes without a password, beside its own host; default: nobody. */
  readonly trusted?: string;
}

/** A database as initdb makes it, which anybody else may reach by password. */
export async function startPostgres(harness: Harness, options: PostgresOptions): Promise<void> {
  const { bin, address, port, trusted } = options;
  const data = mkdtempSync(join(tmpdir(), 'countersign-postgres-'));
  harness.defer('database folder', () => rmSync(data, { recursive: true, force: true }));
  if (process.getuid?.() === 0) chownSync(data, idOf('-u'), idOf('-g'));
  const init = asUser(join(bin, 'initdb'), ['-D', data, '-U', USER, '--no-sync']);
  execFileSync(init.command, init.args, { stdio: 'ignore', cwd: '/' });
  const trust = trusted === undefined ? '' : `host all all ${trusted} trust\n`;
  appendFileSync(join(data, 'pg_hba.conf'), `${trust}host all all all scram-sha-256\n`);
  const settings = [`listen_addresses=${address}`, `port=${port}`, 'unix_socket_directories='];
  const server = asUser(join(bin, 'postgres'), [
    ...['-D', data],
    ...settings.flatMap((setting) => ['-c', setting]),
  ]);
  await harness.process({ name: 'postgres', ...server, cwd: '/' });
  await eventually(async () => (await ask({ address, port })) !== 'nothing', {
    what: 'the database answers',
    timeoutMs: 20_000,
  });
}

/** What the database wants before it lets a superuser in. */
export type Wanted = 'nothing at all' | 'a password' | 'nothing';

export interface Ask {
  readonly address: string;
  readonly port: number;
  readonly tls?: { readonly key: string; readonly cert: string; readonly servername: string };
}

/** The first message of the protocol, and the first answer: `nothing` where there is none. */
export function ask({ address, port, tls }: Ask): Promise<Wanted> {
  return withDeadline({ what: `an answer of ${address}:${port}`, timeoutMs: 5_000 }, (signal) => {
    const to = { host: address, port };
    const socket: Socket =
      tls === undefined
        ? createConnection(to)
        : connectTls({ ...to, ...tls, rejectUnauthorized: false });
    signal.addEventListener('abort', () => socket.destroy());
    socket.on('error', () => undefined);
    // Protocol 3.0 (documentation, 55.7): length, version, pairs of names and values, a zero.
    const parameters = Buffer.from(`user\0${USER}\0database\0${USER}\0\0`);
    const head = Buffer.alloc(8);
    head.writeInt32BE(head.length + parameters.length, 0);
    head.writeInt32BE(196_608, 4);
    socket.write(Buffer.concat([head, parameters]));
    return new Promise<Wanted>((resolve) => {
      socket.once('data', (answer: Buffer) => {
        socket.destroy();
        const isAuthentication = answer.toString('latin1', 0, 1) === 'R';
        const kind = isAuthentication ? answer.readInt32BE(5) : undefined;
        resolve(kind === 0 ? 'nothing at all' : kind === 10 ? 'a password' : 'nothing');
      });
      socket.once('close', () => resolve('nothing'));
    });
  });
}
