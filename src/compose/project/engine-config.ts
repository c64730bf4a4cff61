// A project as Docker Compose itself reads it: `docker compose config`, which needs no engine. It
// is the surest reader there is; ours (load-files.ts) is for where there is none. It is asked for
// YAML: in JSON, Compose leaves out what `x-` keys of a service say.
import { execFile } from 'node:child_process';
import { MeshError } from '../../base/index.js';
import { composeInvalid } from './compose-error.js';
import { isMap, mapOf, newMap, type Value, type ValueMap } from './values.js';
import { readYamlText } from './yaml-documents.js';

const TIMEOUT_MS = 30_000;
const MAX_OUTPUT = 32 * 1024 * 1024;
/** The first release whose `config` resolves everything that we rely on. */
const LEAST = { major: 2, minor: 20 };
/** Characters of Compose's own words in our message. */
const LONGEST_REASON = 600;

export interface ComposeBinary {
  /** The program and the arguments before Compose's own. */
  readonly command: readonly string[];
  readonly version: string;
}

export interface RunContext {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * The Compose that `COMPOSE_BIN` names, Docker's plugin, or a program of its own; if there is one.
 */
export async function findComposeBinary(context: RunContext): Promise<ComposeBinary | undefined> {
  const named = context.env['COMPOSE_BIN'];
  const candidates = named ? [[named]] : [['docker', 'compose'], ['docker-compose']];
  for (const command of candidates) {
    const { code, stdout } = await run([...command, 'version', '--short'], context);
    const version = /v?(\d+)\.(\d+)\.\d+\S*/.exec(stdout);
    if (code !== 0 || version === null) continue;
    const [whole, major, minor] = version;
    const isNew =
      Number(major) > LEAST.major ||
      (Number(major) === LEAST.major && Number(minor) >= LEAST.minor);
    if (isNew) return { command, version: whole.replace(/^v/, '') };
  }
  if (named === undefined || named === '') return undefined;
  const least = `${LEAST.major}.${LEAST.minor}`;
  throw new MeshError('usage', `expected Docker Compose ${least} or later at COMPOSE_BIN`, {
    hint: `${named} doesn't answer as such`,
  });
}

export interface ConfigRequest {
  /** Absolute. */
  readonly files: readonly string[];
  readonly envFiles: readonly string[];
  readonly projectName: string | undefined;
  readonly folder: string;
}

export interface ConfigAnswer {
  readonly project: ValueMap;
  readonly unsetVariables: readonly string[];
}

/** @throws MeshError `compose-invalid` with Compose's own words */
export async function readByCompose(
  binary: ComposeBinary,
  { request, context }: { request: ConfigRequest; context: RunContext },
): Promise<ConfigAnswer> {
  const { files, envFiles, projectName, folder } = request;
  const args = [
    ...files.flatMap((file) => ['-f', file]),
    ...envFiles.flatMap((file) => ['--env-file', file]),
    ...(projectName === undefined ? [] : ['--project-name', projectName]),
    ...['--project-directory', folder, '--profile', '*', 'config', '--format', 'yaml'],
  ];
  const { code, stdout, stderr } = await run([...binary.command, ...args], context);
  if (code !== 0) {
    throw composeInvalid(`Docker Compose ${binary.version} refuses it: ${reasonOf(stderr)}`);
  }
  return { project: readConfigText(stdout).project, unsetVariables: unsetIn(stderr) };
}

interface ConfigText {
  readonly project: ValueMap;
  /** Each dollar sign twice, as a compose file has it. */
  readonly written: ValueMap;
}

/** What `docker compose config` printed, YAML or JSON. @throws MeshError `compose-invalid` */
export function readConfigText(text: string): ConfigText {
  const [document] = readYamlText('what Docker Compose printed', text).documents;
  const written = document?.value ?? null;
  const project = withSingleDollars(written);
  if (isMap(project) && isMap(project['services'])) return { project, written: mapOf(written) };
  throw composeInvalid('expected a project with services but got something else', {
    hint: 'give it what `docker compose config` prints',
  });
}

/** Compose writes each dollar sign twice: what it prints is a compose file again. */
function withSingleDollars(value: Value): Value {
  if (typeof value === 'string') return value.replaceAll('$$', () => '$');
  if (Array.isArray(value)) return value.map(withSingleDollars);
  if (!isMap(value)) return value;
  const map = newMap();
  for (const [key, inner] of Object.entries(value)) map[key] = withSingleDollars(inner);
  return map;
}

/** Its last words, without the warnings before them, on one line. */
function reasonOf(stderr: string): string {
  const lines = stderr.split('\n').map((line) => line.trim());
  const reason = lines
    .filter((line) => line !== '' && !/^time="[^"]*" level=/.test(line))
    .join(' ');
  const text = reason.replace(/^validating [^:]*: /, '');
  if (text === '') return 'no reason was given, or it took too long';
  return text.length > LONGEST_REASON ? `${text.slice(0, LONGEST_REASON)}…` : text;
}

function unsetIn(stderr: string): string[] {
  const found = stderr.matchAll(/The \\?"([A-Za-z_][A-Za-z0-9_]*)\\?" variable is not set/g);
  return [...new Set([...found].map(([, name = '']) => name))].sort();
}

interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(words: readonly string[], { cwd, env }: RunContext): Promise<RunResult> {
  const [program = '', ...args] = words;
  const { COMPOSE_PROFILES: _profiles, COMPOSE_FILE: _file, ...rest } = env;
  return new Promise((resolve) => {
    const child = execFile(
      program,
      args,
      { cwd, env: rest, timeout: TIMEOUT_MS, maxBuffer: MAX_OUTPUT, killSignal: 'SIGKILL' },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : 1, stdout, stderr }),
    );
    child.stdin?.end();
  });
}
