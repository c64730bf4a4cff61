// A folder with all that a sidecar needs, which can be copied to any machine: files name each other
// by relative paths, from the folder in which `run.sh` starts Envoy, or by the paths that they are
// to have where they are installed. Envoy watches only paths with a slash in them (measured on
// 1.40: "Invalid path").
import { isAbsolute, join, resolve } from 'node:path';
import { Option } from 'commander';
import type { Random } from '../base/index.js';
import { reader, textReader, usage } from './options.js';
import { PUBLIC_MODE, writeOutput } from './output-file.js';
import { toRunScript } from './run-script.js';
import { toSupervisorScript } from './supervisor-script.js';

/** Where a file is written, and by what path others name it. */
export interface NamedFile {
  readonly path: string;
  readonly named: string;
}

export interface FolderGiven {
  readonly out?: string;
  readonly installDir?: string;
}

export interface BootstrapFolder {
  readonly path: string;
  toFile(name: string): NamedFile;
}

export interface FolderContent {
  readonly json: string;
  /** What `cert --xds-ca` pins. */
  readonly xdsAnchorPem: string;
  readonly random: Random;
}

const SCRIPT_MODE = 0o755;
const SCRIPT = 'run.sh';
const SUPERVISOR = 'supervise.sh';
const CONFIG = 'envoy.json';
const STATIC_PART = 'node.json';

export function folderOptions(): readonly Option[] {
  const out = 'a folder with the bootstrap, its token and a run.sh, to be copied anywhere';
  const installDir = 'with --out: name files by the paths that they have in this folder';
  const read = (text: string): string | undefined => (isAbsolute(text) ? text : undefined);
  return [
    new Option('--out <dir>', out).argParser(textReader('--out')),
    new Option('--install-dir <dir>', installDir).argParser(
      reader({ name: '--install-dir', expected: 'an absolute path', read }),
    ),
  ];
}

/** Undefined where none is asked for. @throws MeshError usage */
export function toFolder({ out, installDir }: FolderGiven): BootstrapFolder | undefined {
  if (out === undefined) {
    if (installDir === undefined) return undefined;
    throw usage('expected --install-dir with --out but got it without');
  }
  const path = resolve(out);
  const base = installDir === undefined ? '.' : resolve(installDir);
  return { path, toFile: (name) => ({ path: join(path, name), named: `${base}/${name}` }) };
}

/**
 * Writes what is added to an Envoy of somebody's own; its path. @throws MeshError file-unwritable
 */
export async function writeStaticPart(
  folder: BootstrapFolder,
  { json, xdsAnchorPem, random }: FolderContent,
): Promise<string> {
  const { path } = folder.toFile(STATIC_PART);
  const anchor = folder.toFile('xds.pem').path;
  await writeOutput({ path, content: json, mode: PUBLIC_MODE, random });
  await writeOutput({ path: anchor, content: xdsAnchorPem, mode: PUBLIC_MODE, random });
  return path;
}

/**
 * Writes the bootstrap and the scripts that start it; the path of the simple one.
 * @throws MeshError file-unwritable
 */
export async function writeFolder(
  folder: BootstrapFolder,
  { json, xdsAnchorPem, random }: FolderContent,
): Promise<string> {
  const write = (name: string, content: string, mode: number): Promise<void> =>
    writeOutput({ path: folder.toFile(name).path, content, mode, random });
  await write(CONFIG, json, PUBLIC_MODE);
  await write('xds.pem', xdsAnchorPem, PUBLIC_MODE);
  await write(SUPERVISOR, toSupervisorScript(CONFIG), SCRIPT_MODE);
  await write(SCRIPT, toRunScript(CONFIG), SCRIPT_MODE);
  return folder.toFile(SCRIPT).path;
}
