// A folder with compose files for one test, read by our own reader.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { MeshError } from '../../src/base/index.js';
import {
  type ComposeProject,
  type ComposeService,
  readProject,
} from '../../src/compose/project/index.js';

export interface FolderOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Names of files; default: what is found in the folder. */
  readonly read?: readonly string[];
  readonly envFiles?: readonly string[];
}

/** By path; a compose file where the text stands alone. */
export type Files = string | Readonly<Record<string, string>>;

export async function folderOf(files: Files): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-project-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const all = typeof files === 'string' ? { 'compose.yaml': files } : files;
  for (const [path, text] of Object.entries(all)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  return folder;
}

export async function readFolder(
  files: Files,
  { env = {}, read = ['.'], envFiles }: FolderOptions = {},
): Promise<ComposeProject> {
  const cwd = await folderOf(files);
  const more = envFiles === undefined ? {} : { envFiles };
  const result = await readProject({ files: read, cwd, env, reader: 'own', ...more });
  return result.project;
}

/** The service `web` of it. */
export async function readWeb(files: Files, options?: FolderOptions): Promise<ComposeService> {
  const web = (await readFolder(files, options)).services.get('web');
  if (web === undefined) throw new Error('expected a service web');
  return web;
}

/** A service `web` with these lines, each indented by four spaces. */
export function webOf(...lines: readonly string[]): string {
  return [
    'services:',
    '  web:',
    '    image: example/web',
    ...lines.map((line) => `    ${line}`),
  ].join('\n');
}

/** The message that `files` are refused with. Anything but a MeshError is a failure. */
export async function refusalOf(files: Files, options?: FolderOptions): Promise<string> {
  try {
    await readFolder(files, options);
  } catch (error) {
    if (error instanceof MeshError) return error.message;
    throw error;
  }
  throw new Error('expected a refusal but it was read');
}
