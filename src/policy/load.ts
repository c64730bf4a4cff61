// mesh.yaml to Mesh: read, merge, check, resolve, analyse. Problems are collected; nothing throws
// for what a user wrote.
import { createHash } from 'node:crypto';
import { toPlace } from '../base/index.js';
import { analyse } from './analyse.js';
import { checkKeys } from './keys.js';
import { mergeTrees } from './merge.js';
import type { Mesh, Problem } from './model.js';
import { tryNameParts } from './names.js';
import { compareText, Report } from './report.js';
import { type Resolution, resolve } from './resolve.js';
import { meshSchema } from './schema.js';
import { readShape } from './shape.js';
import type { MapTree, Path } from './tree.js';
import { toPlain } from './tree.js';
import { MESH_SIZE_LIMIT, readYaml } from './yaml.js';

/** One file's content. `path` is what messages show. */
export interface MeshFile {
  readonly path: string;
  readonly text: string;
}

export interface LoadedMesh {
  /** Undefined exactly where `problems` has an error. */
  readonly mesh: Mesh | undefined;
  /** By file, line and column. */
  readonly problems: readonly Problem[];
  readonly files: readonly MeshFile[];
}

const VERSION_DIGITS = 12;

/**
 * The mesh that the files describe together; their order is irrelevant. Pure.
 * At most MESH_SIZE_LIMIT characters in all. Never throws for what the files say.
 */
export function parseMesh(files: readonly MeshFile[]): LoadedMesh {
  const report = new Report();
  const sorted = [...files].sort((a, b) => compareText(a.path, b.path));
  const tree = readFiles(sorted, report);
  const resolution = tree === undefined ? undefined : readTree(tree, report);
  const mesh =
    resolution === undefined || report.hasErrors ? undefined : toMesh(resolution, sorted);
  return { mesh, problems: report.sorted(), files: sorted };
}

function readFiles(files: readonly MeshFile[], report: Report): MapTree | undefined {
  const size = files.reduce((sum, { text }) => sum + text.length, 0);
  const largest = files.toSorted((a, b) => b.text.length - a.text.length)[0];
  if (largest !== undefined && size > MESH_SIZE_LIMIT) {
    report.add({
      source: { file: largest.path, line: 1, column: 1 },
      path: '',
      message: `expected a mesh of at most ${MESH_SIZE_LIMIT} characters but got more`,
    });
    return undefined;
  }
  const trees: MapTree[] = [];
  for (const { path, text } of files) {
    const tree = readYaml(path, text, report);
    if (tree !== undefined) trees.push(tree);
  }
  // With a file missing, names that it declares would seem unknown: say only what is wrong with it.
  if (trees.length < files.length) return undefined;
  return trees.reduce<MapTree | undefined>(
    (merged, tree) => (merged === undefined ? tree : mergeTrees(merged, tree, report)),
    undefined,
  );
}

function readTree(tree: MapTree, report: Report): Resolution | undefined {
  const shape = readShape(tree, report);
  const faults = [...shape.faults, ...checkKeys(tree, report)];
  const complete = faults.length === 0;
  const text = complete ? shape.mesh : meshSchema.safeParse(toPlain(soundPart(tree, faults))).data;
  if (text === undefined) return undefined;
  const resolution = resolve(text, tree);
  analyse({ resolution, tree, report, complete });
  return resolution;
}

/**
 * The tree without the services and namespaces that have faults, so that the rest is analysed all
 * the same. A fault outside of them could change anything: then nothing is left.
 */
function soundPart(tree: MapTree, faults: readonly Path[]): MapTree {
  const nothing: MapTree = { kind: 'map', source: tree.source, entries: new Map() };
  const bad = { namespaces: new Set<string>(), services: new Set<string>() };
  for (const [section, name] of faults) {
    if ((section !== 'namespaces' && section !== 'services') || name === undefined) return nothing;
    bad[section].add(String(name));
  }
  const isSound = (section: string, name: string): boolean => {
    if (section === 'namespaces') return !bad.namespaces.has(name);
    const parts = tryNameParts(name);
    const namespace = parts.ok ? parts.value.namespace : '';
    return !bad.services.has(name) && !bad.namespaces.has(namespace);
  };
  const entries = new Map(tree.entries);
  for (const section of ['namespaces', 'services']) {
    const entry = tree.entries.get(section);
    if (entry?.value.kind !== 'map') continue;
    const kept = [...entry.value.entries].filter(([name]) => isSound(section, name));
    entries.set(section, { ...entry, value: { ...entry.value, entries: new Map(kept) } });
  }
  return { ...tree, entries };
}

function toMesh(resolution: Resolution, files: readonly MeshFile[]): Mesh {
  const { trustDomain, authority, services, nodeIssuers } = resolution;
  return {
    trustDomain,
    ...(authority === undefined ? {} : { authority }),
    nodeIssuers,
    services: new Map(services.map(({ service }) => [service.name, service])),
    version: versionOf(files),
  };
}

/** Depends on what the files say, not on their names: replicas may keep them at different paths. */
function versionOf(files: readonly MeshFile[]): string {
  const hash = createHash('sha256');
  for (const text of files.map((file) => file.text).sort(compareText)) {
    hash.update(`${Buffer.byteLength(text)}\n`).update(text);
  }
  return hash.digest('hex').slice(0, VERSION_DIGITS);
}

/** `mesh.yaml:31:9 services.web.mtls: expected …`; a hint follows on a line of its own. */
export function formatProblem({ source, path, message, hint, severity }: Problem): string {
  const kind = severity === 'error' ? '' : `${severity}: `;
  const subject = path === '' ? '' : ` ${path}:`;
  const line = `${toPlace(source)}${subject === '' ? ':' : subject} ${kind}${message}`;
  return hint === undefined ? line : `${line}\n  hint: ${hint}`;
}
