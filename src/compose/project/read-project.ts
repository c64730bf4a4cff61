// A compose project from its files: by Docker Compose where there is one, by our own reader
// otherwise, or as Compose printed it.

import { stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { MeshError } from '../../base/index.js';
import { checkNames } from './check-names.js';
import { composeInvalid } from './compose-error.js';
import type { ComposeProject } from './compose-project.js';
import { readConfigFiles } from './config-files.js';
import { readDockerfile } from './dockerfile.js';
import { readDotenv } from './dotenv.js';
import {
  type ComposeBinary,
  findComposeBinary,
  readByCompose,
  readConfigText,
} from './engine-config.js';
import { readServiceFiles } from './environment.js';
import { findComposeFiles } from './find-files.js';
import { interpolate } from './interpolate.js';
import { type Environment, type LoadContext, LoadNotes } from './load-context.js';
import { loadFiles } from './load-files.js';
import { checkShape, isFirstFormat } from './shape.js';
import { SourceFiles } from './source-files.js';
import { toComposeProject } from './to-project.js';
import type { ServiceExtras } from './to-service.js';
import { mapOf, newMap, textOf, type ValueMap } from './values.js';
import { readYamlText } from './yaml-documents.js';

export interface ReadProjectOptions {
  /** Files and folders; none: the current folder; `-`: what Compose printed. */
  readonly files: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Instead of the `.env` beside the first file. */
  readonly envFiles?: readonly string[];
  /** Instead of `COMPOSE_PROJECT_NAME`, `name:` and the folder's name. */
  readonly projectName?: string;
  /** Reads standard input to its end, for `-`. */
  readonly readInput?: () => Promise<string>;
  /** `own`: no other program is asked. */
  readonly reader?: 'any' | 'own';
}

export interface ReadProject {
  readonly project: ComposeProject;
  /** Absolute, in order; none for standard input. */
  readonly files: readonly string[];
  /** `Docker Compose 2.40.3`, `our own reader`, `standard input`. */
  readonly readBy: string;
}

/** @throws MeshError `compose-invalid` or `compose-unreadable`, one line with its place */
export async function readProject(options: ReadProjectOptions): Promise<ReadProject> {
  if (options.files.includes('-')) return readInput(options);
  const { cwd } = options;
  const env = { PWD: cwd, ...options.env };
  const files = await findComposeFiles(options.files, cwd);
  const sources = new SourceFiles(cwd);
  const notes = new LoadNotes();
  const binary = options.reader === 'own' ? undefined : await findComposeBinary({ cwd, env });
  const job = { options: { ...options, env }, files, sources, notes };
  const order = await look(job, binary);
  const read = binary === undefined ? await readOwn(job) : await readByBest(binary, job);
  const project = toChecked(read, { order, notes, extras: await readExtras(read, job) });
  const readBy = binary === undefined ? 'our own reader' : `Docker Compose ${binary.version}`;
  return { project, files, readBy };
}

interface Job {
  readonly options: ReadProjectOptions;
  readonly files: readonly string[];
  readonly sources: SourceFiles;
  readonly notes: LoadNotes;
}

interface Known {
  readonly order: readonly string[];
  readonly notes: LoadNotes;
  readonly extras?: ReadonlyMap<string, ServiceExtras>;
}

const NO_EXTRAS: ServiceExtras = {
  dockerfile: undefined,
  configFiles: [],
  written: undefined,
  lookup: () => undefined,
};

function toChecked(
  { name, raw, unsetVariables }: RawProject,
  { order, notes, extras }: Known,
): ComposeProject {
  const placeOf = notes.placeOf.bind(notes);
  const extrasOf = (service: string): ServiceExtras => extras?.get(service) ?? NO_EXTRAS;
  const project = toComposeProject(raw, { name, order, unsetVariables, placeOf, extrasOf });
  checkNames(project, { raw, placeOf });
  if (project.services.size > 0) return project;
  throw composeInvalid('expected services but got none', { at: placeOf(['services']) });
}

interface RawProject {
  readonly name: string;
  readonly raw: ValueMap;
  readonly unsetVariables: readonly string[];
}

async function readInput({ readInput: read, files }: ReadProjectOptions): Promise<ReadProject> {
  if (files.length > 1 || read === undefined) {
    throw composeInvalid('expected standard input alone but got other files beside it');
  }
  const { project: raw, written } = readConfigText(await read());
  const name = toProjectName(textOf(raw['name']) ?? '') || 'project';
  const order = Object.keys(mapOf(raw['services']));
  const extras = new Map(
    order.map((service): [string, ServiceExtras] => {
      return [service, { ...NO_EXTRAS, written: mapOf(mapOf(written['services'])[service]) }];
    }),
  );
  const known = { order, notes: new LoadNotes(), extras };
  const project = toChecked({ name, raw, unsetVariables: [] }, known);
  return { project, files: [], readBy: 'standard input' };
}

/**
 * A first look at each file, whoever reads it after: where its keys stand, the order of its
 * services, and whether Compose knows its format at all. What only we can't read isn't refused.
 */
async function look(job: Job, binary: ComposeBinary | undefined): Promise<string[]> {
  const order = new Set<string>();
  try {
    for (const path of job.files) for (const name of await lookAt(path, job)) order.add(name);
  } catch (error) {
    if (binary !== undefined) await readBinary(binary, job).catch(() => Promise.reject(error));
    else throw error;
  }
  return [...order];
}

async function lookAt(path: string, { sources, notes }: Job): Promise<string[]> {
  const file = sources.show(path);
  const { documents, lines } = readYamlText(file, await sources.read(path));
  notes.addLines(file, lines);
  if (documents.every(({ value }) => value === null)) {
    throw composeInvalid('expected a compose file but got an empty one', { at: { file } });
  }
  if (documents.some(({ value }) => isFirstFormat(value))) {
    throw composeInvalid('services stand at its top, in the format before "services:"', {
      at: { file },
      hint: 'Docker Compose v2 reads no such file: put the services under "services:"',
    });
  }
  return documents.flatMap(({ value }) => Object.keys(mapOf(mapOf(value)['services'])));
}

/** What no merged project tells: Dockerfiles, and values as they were written. */
async function readExtras(
  { raw }: RawProject,
  job: Job,
): Promise<ReadonlyMap<string, ServiceExtras>> {
  const { files, sources } = job;
  const folder = folderOf(files);
  const environment = await readVariables(job, folder);
  const { lookup } = environment;
  const context = { sources, environment, folder, included: [], isRaw: true };
  // Files that can't be merged before their variables are replaced tell nothing more.
  const notes = new LoadNotes();
  const written = await loadFiles(files, { ...context, notes }).catch(() => newMap());
  const extras = new Map<string, ServiceExtras>();
  for (const [name, service] of Object.entries(mapOf(raw['services']))) {
    const dockerfile = await readDockerfile(mapOf(service)['build'], { sources, folder });
    const configFiles = await readConfigFiles(mapOf(service)['volumes'], { sources, folder });
    const own = mapOf(mapOf(written['services'])[name]);
    extras.set(name, { dockerfile, configFiles, lookup, written: own });
  }
  return extras;
}

/** Compose refuses without a line. Our own reader often knows it, where it refuses as well. */
async function readByBest(binary: ComposeBinary, job: Job): Promise<RawProject> {
  try {
    return await readBinary(binary, job);
  } catch (refusal) {
    const { notes } = job;
    const own = await readOwn(job)
      .then((raw) => void toChecked(raw, { order: [], notes }))
      .catch((error: unknown) => error);
    if (!(own instanceof MeshError) || !(refusal instanceof MeshError)) throw refusal;
    const hint = own.hint ?? refusal.message;
    throw new MeshError(own.code, own.message, { hint, cause: refusal });
  }
}

async function readBinary(binary: ComposeBinary, job: Job): Promise<RawProject> {
  const { options, files } = job;
  const { cwd, env, envFiles = [], projectName } = options;
  const { project, unsetVariables } = await readByCompose(binary, {
    request: {
      files,
      envFiles: envFiles.map((file) => resolve(cwd, file)),
      projectName,
      folder: folderOf(files),
    },
    context: { cwd, env },
  });
  return { name: textOf(project['name']) ?? 'project', raw: project, unsetVariables };
}

async function readOwn(job: Job): Promise<RawProject> {
  const { options, files, sources, notes } = job;
  const folder = folderOf(files);
  const outside = await readVariables(job, folder);
  const named = options.projectName ?? outside.lookup('COMPOSE_PROJECT_NAME') ?? '';
  const said = named === '' ? await nameIn(job, outside) : named;
  const name = toProjectName(said) || toProjectName(basename(folder)) || 'project';
  const lookup = (key: string): string | undefined =>
    key === 'COMPOSE_PROJECT_NAME' ? name : outside.lookup(key);
  const environment: Environment = { lookup, home: options.env['HOME'] };
  const context: LoadContext = { sources, environment, folder, included: [], notes, isRaw: false };
  const raw = await loadFiles(files, context);
  await readServiceFiles(raw, context);
  checkShape(raw, notes.placeOf.bind(notes));
  return { name, raw, unsetVariables: [...notes.unset] };
}

/** The process's own variables, then those of the .env files. */
async function readVariables({ options, sources }: Job, folder: string): Promise<Environment> {
  const { cwd, env, envFiles } = options;
  const into = new Map<string, string>();
  const lookup = (name: string): string | undefined => env[name];
  const read = async (path: string): Promise<void> => {
    readDotenv(await sources.read(path), { file: sources.show(path), lookup, into });
  };
  for (const file of envFiles ?? []) await read(resolve(cwd, file));
  const fallback = join(folder, '.env');
  const isThere = (await stat(fallback).catch(() => undefined))?.isFile() ?? false;
  if (envFiles === undefined && isThere) await read(fallback);
  return { lookup: (name) => env[name] ?? into.get(name), home: env['HOME'] };
}

/** The last `name:` of the files. */
async function nameIn({ files, sources, notes }: Job, environment: Environment): Promise<string> {
  let name = '';
  for (const path of files) {
    const { documents } = readYamlText(sources.show(path), await sources.read(path));
    for (const { value } of documents) name = textOf(mapOf(value)['name']) || name;
  }
  return interpolate(name, {
    lookup: environment.lookup,
    onUnset: (variable) => void notes.unset.add(variable),
  });
}

function folderOf(files: readonly string[]): string {
  return dirname(files[0] ?? '.');
}

/** As Compose has it: lower case letters, digits, dashes and underscores, the latter not first. */
function toProjectName(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]/g, '')
    .replace(/^[_-]+/, '');
}
