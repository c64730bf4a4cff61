// Options and arguments that several commands share, and how their text is parsed. A value that
// can't be parsed is a `usage` error that names the option.
import { isIP } from 'node:net';
import { Argument, Option } from 'commander';
import { MeshError, tryDurationMs } from '../base/index.js';
import { INSTANCE_RULE, tryInstance } from '../spiffe/index.js';
import { DEFAULT_DATA_WORDS, toDefaultData } from './default-data.js';

export const DEFAULT_XDS = '127.0.0.1:18000';
export const DEFAULT_ADMIN = '127.0.0.1:18080';

/** An address to listen on or to connect to. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

export function toExample(...lines: readonly string[]): string {
  const heading = lines.length === 1 ? 'Example:' : 'Examples:';
  return ['', heading, ...lines.map((line) => `  ${line}`)].join('\n');
}

export function usage(message: string, hint?: string): MeshError {
  return new MeshError('usage', message, hint === undefined ? {} : { hint });
}

/**
 * Of things that a command does one of, exactly one must be asked for.
 * @throws MeshError usage, which says which were
 */
export function requireOne(asked: Readonly<Record<string, unknown>>, hint: string): void {
  const given = Object.keys(asked).filter((name) => asked[name] !== undefined);
  if (given.length === 1) return;
  const got = given.length === 0 ? 'none of them' : toList(given);
  throw usage(`expected one of ${toList(Object.keys(asked))} but got ${got}`, hint);
}

/** `a, b and c`. */
function toList(words: readonly string[]): string {
  const last = words.at(-1) ?? '';
  return words.length < 2 ? last : `${words.slice(0, -1).join(', ')} and ${last}`;
}

export interface ReaderOptions<T> {
  /** The option or argument as the user writes it. */
  readonly name: string;
  /** What it expects, in words. */
  readonly expected: string;
  readonly hint?: string;
  /** The value, or undefined if the text is something else. */
  readonly read: (text: string) => T | undefined;
}

/** A parser for commander that throws our own error. */
export function reader<T>({ name, expected, hint, read }: ReaderOptions<T>): (text: string) => T {
  return (text) => {
    const value = read(text);
    if (value !== undefined) return value;
    throw usage(`${name}: expected ${expected} but got ${JSON.stringify(text)}`, hint);
  };
}

const HOST = /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/;
const HOST_PORT = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/;

/** `127.0.0.1:18000`, `[::1]:18000` or `name:18000`; port 0 is accepted too. */
export function tryHostPort(text: string): HostPort | undefined {
  const [, bracketed, plain = '', digits] = HOST_PORT.exec(text) ?? [];
  const port = Number(digits);
  const host = bracketed ?? plain;
  const good = bracketed === undefined ? isIP(host) === 4 || HOST.test(host) : isIP(host) === 6;
  return good && port <= 65_535 ? { host, port } : undefined;
}

export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

export function tryPort(text: string): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : undefined;
}

export interface HostPortOptions {
  readonly flags: string;
  readonly name: string;
  readonly description: string;
  readonly fallback: string;
  readonly env?: string;
  /** Port 0 (any free one) makes sense: for listening. */
  readonly anyPort?: boolean;
}

export function hostPortOption(options: HostPortOptions): Option {
  const { flags, name, description, fallback, env, anyPort = false } = options;
  const option = new Option(flags, description).default(tryHostPort(fallback), fallback).argParser(
    reader({
      name,
      expected: 'an address and port',
      hint: `such as ${fallback}, or [::1]:${fallback.split(':').at(-1)}`,
      read: (text) => {
        const parsed = tryHostPort(text);
        return parsed?.port === 0 && !anyPort ? undefined : parsed;
      },
    }),
  );
  return env === undefined ? option : option.env(env);
}

export interface DurationOptions {
  readonly flags: string;
  readonly name: string;
  readonly description: string;
  readonly fallback: string;
  /** `[shortest, longest]`, as durations. */
  readonly range: readonly [string, string];
}

/** An option whose value is milliseconds. */
export function durationOption(options: DurationOptions): Option {
  const { flags, name, description, fallback, range } = options;
  const [shortest = 0, longest = 0] = range.map((text) => tryDurationMs(text) ?? 0);
  return new Option(flags, description).default(tryDurationMs(fallback), fallback).argParser(
    reader({
      name,
      expected: `a duration from ${range[0]} to ${range[1]}`,
      hint: 'a number and a unit: 90s, 15m, 24h, 30d',
      read: (text) => {
        const ms = tryDurationMs(text);
        return ms !== undefined && ms >= shortest && ms <= longest ? ms : undefined;
      },
    }),
  );
}

/** `--timeout` of commands that `--wait` for a change of root. */
export function waitTimeoutOption(): Option {
  return durationOption({
    flags: '--timeout <duration>',
    name: '--timeout',
    description: 'how long to --wait',
    fallback: '5m',
    range: ['0s', '7d'],
  });
}

/** Text that must not be empty, since an empty path would mean the current folder. */
export function textReader(name: string): (text: string) => string {
  return reader({ name, expected: 'a value', read: (text) => (text === '' ? undefined : text) });
}

/** `--data` of the commands that work on the data folder. */
export function dataOption(): Option {
  return new Option('--data <dir>', "the server's data folder")
    .env('COUNTERSIGN_DATA')
    .default(toDefaultData(process.env['COUNTERSIGN_MESH']), DEFAULT_DATA_WORDS)
    .argParser(textReader('--data'));
}

export interface ServerOptions {
  readonly server: HostPort;
  readonly adminTokenFile?: string;
}

/** `--server` and `--admin-token-file` of the commands that ask a running server. */
export function serverOptions(): readonly Option[] {
  return [
    hostPortOption({
      flags: '--server <host:port>',
      name: '--server',
      description: "the server's admin port",
      fallback: DEFAULT_ADMIN,
      env: 'COUNTERSIGN_SERVER',
    }),
    adminTokenOption(),
  ];
}

export function adminTokenOption(): Option {
  return new Option(
    '--admin-token-file <file>',
    'contains an admin token (`countersign token --admin`)',
  )
    .env('COUNTERSIGN_ADMIN_TOKEN_FILE')
    .argParser(textReader('--admin-token-file'));
}

export function jsonOption(): Option {
  return new Option('--json', 'print JSON, for programs');
}

/** May be left out where COUNTERSIGN_MESH is set: see `requireMesh`. */
export function meshArgument(): Argument {
  const description = 'mesh.yaml, or a folder of *.yaml (env: COUNTERSIGN_MESH)';
  return new Argument('[mesh]', description).argParser(textReader('[mesh]'));
}

/** The mesh that was named, else that of the environment. @throws MeshError usage: neither */
export function requireMesh(given: string | undefined): string {
  const mesh = given ?? process.env['COUNTERSIGN_MESH'] ?? '';
  if (mesh !== '') return mesh;
  throw usage('expected a mesh file but got none', 'name it, or set COUNTERSIGN_MESH');
}

/** `--instance`: the part of a node's id after `~`. */
export function instanceOption(description: string): Option {
  return new Option('--instance <name>', description).argParser(
    reader({
      name: '--instance',
      expected: INSTANCE_RULE,
      read: tryInstance,
    }),
  );
}
