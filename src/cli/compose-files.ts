// The two files that `countersign compose` writes, and what a user must know of them.
import { statSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { MeshError, type Random, systemErrorCode } from '../base/index.js';
import {
  isOverride,
  type MeshYaml,
  toMeshYaml,
  toOverride,
  type Wiring,
} from '../compose/write/index.js';
import { formatProblem, parseMesh } from '../policy/index.js';
import { usage } from './options.js';
import { PUBLIC_MODE, writeOutput } from './output-file.js';
import { count } from './problems.js';

const MESH = 'mesh.yaml';
const OVERRIDE = 'docker-compose.mesh.yml';
/** As whom the server's container runs. */
const SERVER_ID = 10001;

export interface ComposeFile {
  /** As it is shown. */
  readonly path: string;
  readonly text: string;
  readonly state: 'new' | 'changed' | 'same';
}

export interface ComposeResult {
  readonly mesh: ComposeFile & Pick<MeshYaml, 'added' | 'others' | 'differences'>;
  readonly override: ComposeFile;
  /** Of the user's files and the override, as one names them here. */
  readonly started: readonly string[];
}

export interface ComposePlace {
  /** The user's own files, absolute; none for standard input. */
  readonly files: readonly string[];
  readonly cwd: string;
  /** Instead of the folder of the first file. */
  readonly out: string | undefined;
}

/** @throws MeshError usage: a file is one of ours */
export async function refuseOwnFiles(files: readonly string[]): Promise<void> {
  for (const file of files) {
    if (isOverride(await readFile(file, 'utf8'))) {
      throw usage(
        `expected your own compose files but got ${file}, which this command made`,
        'leave it out: it is written anew from the others',
      );
    }
  }
}

/**
 * What the two files are to say; writes nothing.
 * @throws MeshError mesh-unreadable, mesh-invalid: the mesh.yaml that is there
 */
export async function toComposeFiles(
  wiring: Wiring,
  { files, cwd, out }: ComposePlace,
): Promise<ComposeResult> {
  const project = files[0] === undefined ? cwd : dirname(files[0]);
  const folder = out === undefined ? project : resolve(cwd, out);
  const [meshPath, overridePath] = [join(folder, MESH), join(folder, OVERRIDE)];
  const shown = (path: string): string => {
    const short = relative(cwd, path);
    return short.startsWith('..') ? path : short || '.';
  };
  const seen = (path: string): string => relative(project, path);
  const before = await tryRead(meshPath);
  if (before !== undefined) assertMesh(before, shown(meshPath));
  const mesh = toMeshYaml(wiring, before);
  assertMesh(mesh.text, shown(meshPath));
  const override = toOverride(wiring, {
    sources: files.length === 0 ? ['docker-compose.yml'] : files.map(seen),
    override: seen(overridePath),
    meshFolder: toMount(seen(folder)),
  });
  return {
    mesh: { ...mesh, path: shown(meshPath), state: toState(before, mesh.text) },
    override: {
      path: shown(overridePath),
      text: override,
      state: toState(await tryRead(overridePath), override),
    },
    started: [
      ...(files.length === 0 ? ['docker-compose.yml'] : files.map(shown)),
      shown(overridePath),
    ],
  };
}

/** Compose takes what begins otherwise for the name of a volume. */
function toMount(folder: string): string {
  if (folder === '') return '.';
  return folder.startsWith('.') || folder.startsWith('/') ? folder : `./${folder}`;
}

function toState(before: string | undefined, after: string): ComposeFile['state'] {
  if (before === undefined) return 'new';
  return before === after ? 'same' : 'changed';
}

async function tryRead(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    if (systemErrorCode(cause) === 'ENOENT') return undefined;
    const code = systemErrorCode(cause) ?? 'an error';
    throw new MeshError('mesh-unreadable', `expected to read ${path} but got ${code}`, { cause });
  }
}

/** @throws MeshError mesh-invalid, with the first problem */
function assertMesh(text: string, path: string): void {
  const { mesh, problems } = parseMesh([{ path, text }]);
  if (mesh !== undefined) return;
  const [first, ...others] = problems.filter(({ severity }) => severity === 'error');
  const more = others.length === 0 ? '' : `, and ${count(others.length, 'more problem')}`;
  // A problem's own hint is on a second line.
  const shown = first === undefined ? path : formatProblem(first).split('\n')[0];
  throw new MeshError('mesh-invalid', `${shown}${more}`, {
    hint: `mend it, or move it away: nothing was written; \`countersign check ${path}\` says all`,
  });
}

/** Writes those that aren't there as they should be. @throws MeshError file-unwritable */
export async function writeComposeFiles(
  { mesh, override }: ComposeResult,
  { cwd, random }: { cwd: string; random: Random },
): Promise<void> {
  for (const { path, text, state } of [mesh, override]) {
    if (state === 'same') continue;
    const absolute = resolve(cwd, path);
    const mode = state === 'new' ? PUBLIC_MODE : (await stat(absolute)).mode & 0o777;
    await writeOutput({ path: absolute, content: text, mode, random });
  }
}

/** What keeps the server's container from reading mesh.yaml, as commands that change it. */
export function whyUnreadable({ mesh }: ComposeResult, cwd: string): readonly string[] {
  const path = resolve(cwd, mesh.path);
  const folder = dirname(mesh.path) || '.';
  return [
    ...(allows(resolve(cwd, folder), 5) ? [] : [`chmod o+rx ${folder}`]),
    ...(allows(path, 4) ? [] : [`chmod o+r ${mesh.path}`]),
  ];
}

function allows(path: string, bits: number): boolean {
  const { mode, uid, gid } = statSync(path);
  const shift = uid === SERVER_ID ? 6 : gid === SERVER_ID ? 3 : 0;
  return ((mode >> shift) & bits) === bits;
}
