// Compose files as one project by our own reader: each is read, interpolated, completed by what it
// includes and extends, and merged over those before it. The order of these steps is Compose's.
import { dirname, resolve } from 'node:path';
import { composeInvalid } from './compose-error.js';
import { resolveInherited } from './environment.js';
import { applyExtends, type ExtendedFile } from './extends.js';
import { applyIncludes } from './includes.js';
import { InterpolationError, interpolate } from './interpolate.js';
import type { LoadContext } from './load-context.js';
import { applyResets, mergeFiles, withUniqueEntries } from './merge.js';
import { resolvePaths } from './paths.js';
import { isMap, newMap, type Value, type ValueMap } from './values.js';
import { type KeyPath, readYamlText, type YamlDocument } from './yaml-documents.js';

/** The files as one map; paths in it are absolute. @throws MeshError */
export async function loadFiles(files: readonly string[], context: LoadContext): Promise<ValueMap> {
  let project = newMap();
  for (const file of files) project = await loadFile(file, { project, context });
  resolvePaths(project, { folder: context.folder, home: context.environment.home });
  if (!context.isRaw) resolveInherited(project, context.environment.lookup);
  return project;
}

async function loadFile(
  file: string,
  { project: before, context }: { project: ValueMap; context: LoadContext },
): Promise<ValueMap> {
  const { sources, notes } = context;
  const shown = sources.show(file);
  const { documents, lines } = readYamlText(shown, await sources.read(file));
  notes.addLines(shown, lines);
  let project = before;
  for (const document of documents) {
    const own = toProject(document, { file: shown, context });
    if (own === undefined) continue;
    await applyIncludes(own, {
      context: { ...context, included: [...context.included, file] },
      load: loadFiles,
    });
    applyResets(project, document.resets);
    await applyExtends(own, {
      file,
      resets: document.resets,
      read: (path, from) => readExtended(resolve(dirname(from), path), context),
      show: (path) => sources.show(path),
    });
    project = withUniqueEntries(mergeFiles(project, own));
  }
  return project;
}

/** A document with its variables replaced; undefined where it is empty. */
function toProject(
  { value }: YamlDocument,
  { file, context }: { file: string; context: LoadContext },
): ValueMap | undefined {
  if (value === null) return undefined;
  if (!isMap(value)) {
    const got = Array.isArray(value) ? 'a list' : 'a text';
    throw composeInvalid(`expected a compose file but got ${got}`, { at: { file } });
  }
  return replaceVariables(value, { path: [], file, context }) as ValueMap;
}

interface Spot {
  readonly path: KeyPath;
  readonly file: string;
  readonly context: LoadContext;
}

function replaceVariables(value: Value, spot: Spot): Value {
  if (spot.context.isRaw) return value;
  if (typeof value === 'string') return replaceIn(value, spot);
  if (Array.isArray(value)) {
    return value.map((one, i) =>
      replaceVariables(one, { ...spot, path: [...spot.path, `[${i}]`] }),
    );
  }
  if (!isMap(value)) return value;
  const map = newMap();
  for (const [key, inner] of Object.entries(value)) {
    map[key] = replaceVariables(inner, { ...spot, path: [...spot.path, key] });
  }
  return map;
}

function replaceIn(text: string, { path, file, context }: Spot): string {
  if (!text.includes('$')) return text;
  const { environment, notes } = context;
  try {
    const onUnset = (name: string): void => void notes.unset.add(name);
    return interpolate(text, { lookup: environment.lookup, onUnset });
  } catch (error) {
    if (!(error instanceof InterpolationError)) throw error;
    const place = notes.placeOf(path);
    const at = place?.file === file ? place : { file };
    throw composeInvalid(`${path.join('.')}: ${error.message}`, {
      at,
      hint: error.message.startsWith('required variable')
        ? 'set it in .env beside the compose file, or in the environment'
        : 'a dollar sign that begins no variable is written $$',
    });
  }
}

/** Services of a file that others extend. What it includes doesn't count. */
async function readExtended(file: string, context: LoadContext): Promise<ExtendedFile> {
  const shown = context.sources.show(file);
  const { documents } = readYamlText(shown, await context.sources.read(file));
  let project = newMap();
  const resets: KeyPath[] = [];
  for (const document of documents) {
    const own = toProject(document, { file: shown, context });
    if (own === undefined) continue;
    applyResets(project, document.resets);
    project = mergeFiles(project, own);
    resets.push(...document.resets);
  }
  resolvePaths(project, { folder: dirname(file), home: context.environment.home });
  const services = project['services'];
  if (isMap(services)) return { file, services, resets };
  throw composeInvalid(`expected services but got none to extend`, { at: { file: shown } });
}
