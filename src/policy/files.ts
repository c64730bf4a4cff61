// Mesh files from disk: one file, or every *.yaml of a folder.
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  type Stats,
  statSync,
} from 'node:fs';
import { MeshError, systemErrorCode } from '../base/index.js';
import { jwksProblem, MAX_JWKS_BYTES } from './jwks.js';
import { type LoadedMesh, type MeshFile, parseMesh } from './load.js';
import type { Mesh, Problem } from './model.js';
import { Report } from './report.js';
import { MESH_SIZE_LIMIT } from './yaml.js';

const FILES_LIMIT = 1000;
/** UTF-8 needs at most this many bytes for a character of JavaScript's. */
const BYTES_PER_CHARACTER = 3;
const CHUNK_BYTES = 65_536;
const YAML = /\.ya?ml$/i;

/**
 * The mesh of a file, or of every `*.yaml` directly in a folder (hidden files aside) as one
 * document. Places name files as `path` does: relative stays relative.
 * @throws MeshError `mesh-unreadable` where files can't be read; what they say wrong is in
 *   `problems`.
 */
export function loadMesh(path: string): LoadedMesh {
  const loaded = parseMesh(readMeshFiles(path));
  const report = new Report();
  const found = [...skippedFiles(path), ...keyFileProblems(loaded.mesh)];
  for (const problem of [...loaded.problems, ...found]) report.add(problem);
  const mesh = report.hasErrors ? undefined : loaded.mesh;
  return { ...loaded, mesh, problems: report.sorted() };
}

/** What is wrong with the key files that a mesh names. */
function keyFileProblems(mesh: Mesh | undefined): readonly Problem[] {
  return (mesh?.nodeIssuers ?? []).flatMap(({ issuer, keys, source }): Problem[] => {
    const message = keys.kind === 'file' ? keyFileProblem(keys.path) : undefined;
    const path = `nodeIssuers of ${issuer}`;
    return message === undefined ? [] : [{ severity: 'error', source, path, message }];
  });
}

function keyFileProblem(path: string): string | undefined {
  try {
    const stats = statSync(path);
    if (!stats.isFile()) return `expected a file at ${path} but got ${kindOf(stats)}`;
    if (stats.size > MAX_JWKS_BYTES) {
      return `expected at most ${MAX_JWKS_BYTES} bytes in ${path} but got ${stats.size}`;
    }
    const problem = jwksProblem(readFileSync(path, 'utf8'));
    return problem === undefined ? undefined : `${problem} in ${path}`;
  } catch (error) {
    const got = systemErrorCode(error) ?? 'an error';
    return `expected a file to read at ${path} but got ${REASONS[got] ?? got}`;
  }
}

/**
 * The same files' text, unparsed: cheap to compare with what was read before.
 * @throws MeshError `mesh-unreadable` where files can't be read.
 */
export function readMeshFiles(path: string): readonly MeshFile[] {
  return filesAt(path).map((file) => ({ path: file, text: readText(file) }));
}

function filesAt(path: string): string[] {
  const isFolder = attempt(path, () => statSync(path).isDirectory());
  if (!isFolder) return [path];
  const names = attempt(path, () => readdirSync(path))
    .filter(isMeshName)
    .sort();
  if (names.length === 0) {
    throw new MeshError('mesh-unreadable', `expected *.yaml files in ${path} but got none`, {
      hint: 'files are read whose names end in .yaml; `countersign init` writes one to start from',
    });
  }
  if (names.length > FILES_LIMIT) {
    const message = `expected at most ${FILES_LIMIT} files in ${path} but got ${names.length}`;
    throw new MeshError('mesh-unreadable', message);
  }
  const prefix = path.endsWith('/') ? path : `${path}/`;
  return names.map((name) => `${prefix}${name}`);
}

function readText(path: string): MeshFile['text'] {
  const bytes = attempt(path, () => readBounded(path));
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new MeshError('mesh-unreadable', `expected UTF-8 text but got other bytes in ${path}`, {
      cause,
    });
  }
}

/** At most a little more than a mesh may have, so that an endless file ends too. */
function readBounded(path: string): Buffer {
  const limit = MESH_SIZE_LIMIT * BYTES_PER_CHARACTER;
  // Opening a pipe without a writer would block the whole process for ever, and opening a device
  // may act on it: so look first. Between the look and the open the file may be another one.
  requireFile(path, statSync(path));
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    requireFile(path, fstatSync(file));
    const chunks: Buffer[] = [];
    for (let size = 0; size <= limit; ) {
      const chunk = Buffer.alloc(CHUNK_BYTES);
      const length = readSync(file, chunk);
      if (length === 0) return Buffer.concat(chunks);
      chunks.push(chunk.subarray(0, length));
      size += length;
    }
    const message = `expected a mesh of at most ${MESH_SIZE_LIMIT} characters but ${path} has more`;
    throw new MeshError('mesh-unreadable', message);
  } finally {
    closeSync(file);
  }
}

function requireFile(path: string, stats: Stats): void {
  if (stats.isFile()) return;
  const message = `expected a mesh file or folder at ${path} but got ${kindOf(stats)}`;
  throw new MeshError('mesh-unreadable', message, {
    hint: 'a mesh is read again whenever it changes, so it is a file that stays',
  });
}

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return 'a folder';
  if (stats.isFIFO()) return 'a pipe';
  if (stats.isSocket()) return 'a socket';
  return 'a device';
}

/** Whether a mesh folder's file of this name is part of the mesh. */
function isMeshName(name: string): boolean {
  return name.endsWith('.yaml') && !name.startsWith('.');
}

/**
 * Warnings of the mesh at `path`, a file or folder: YAML files under another ending, and in
 * folders within the folder, which are not read though their author may think so. None where
 * they can't be looked at.
 */
export function skippedFiles(path: string): readonly Problem[] {
  const prefix = path.endsWith('/') ? path : `${path}/`;
  const problems: Problem[] = [];
  for (const name of namesIn(path)) {
    const file = `${prefix}${name}`;
    if (name.startsWith('.') || isMeshName(name)) continue;
    if (isFolder(file)) {
      if (!namesIn(file).some((inner) => YAML.test(inner))) continue;
      const message = 'the YAML files in here are not read: expected them directly in the folder';
      problems.push(toWarning(file, message, `move them to ${path}`));
    } else if (YAML.test(name)) {
      const hint = `rename it to ${name.replace(YAML, '.yaml')}`;
      problems.push(toWarning(file, 'not read: expected a name that ends in .yaml', hint));
    }
  }
  return problems;
}

function toWarning(file: string, message: string, hint: string): Problem {
  return { severity: 'warning', source: { file, line: 1, column: 1 }, path: '', message, hint };
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** The names in a folder; none where there is no folder or no permission. */
function namesIn(path: string): string[] {
  try {
    return isFolder(path) ? readdirSync(path) : [];
  } catch {
    return [];
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'nothing at all',
  EACCES: 'no permission',
  ENOTDIR: 'a file where a folder should be',
};

function attempt<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof MeshError) throw cause;
    const code = systemErrorCode(cause) ?? 'an unknown error';
    const message = `expected a mesh file or folder at ${path} but got ${REASONS[code] ?? code}`;
    throw new MeshError('mesh-unreadable', message, {
      cause,
      hint: '`countersign init` writes a mesh.yaml to start from',
    });
  }
}
