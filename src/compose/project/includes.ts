// `include`: another project's files, read with a folder and variables of their own, become a part
// of this one.
import { stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { composeInvalid } from './compose-error.js';
import { readDotenv } from './dotenv.js';
import type { LoadContext } from './load-context.js';
import { mergeFiles } from './merge.js';
import { isMap, newMap, textOf, textsOf, type Value, type ValueMap } from './values.js';

interface IncludeOptions {
  readonly context: LoadContext;
  readonly load: (files: readonly string[], context: LoadContext) => Promise<ValueMap>;
}

const SECTIONS = ['services', 'volumes', 'networks', 'secrets', 'configs', 'models'];

/** Brings into `project` what it includes; what it says itself wins. @throws MeshError */
export async function applyIncludes(project: ValueMap, options: IncludeOptions): Promise<void> {
  const includes = project['include'];
  if (includes === undefined || includes === null) return;
  if (!Array.isArray(includes)) {
    throw composeInvalid('expected a list at include but got something else');
  }
  for (const include of includes) {
    const imported = await loadInclude(include, options);
    for (const section of SECTIONS) {
      const from = imported[section];
      if (!isMap(from)) continue;
      const merged = mergeFiles(wrap(section, from), wrap(section, project[section] ?? newMap()));
      project[section] = merged[section] ?? newMap();
    }
  }
  delete project['include'];
}

function wrap(section: string, value: Value): ValueMap {
  return Object.assign(newMap(), { [section]: value });
}

async function loadInclude(include: Value, { context, load }: IncludeOptions): Promise<ValueMap> {
  const paths = textsOf(isMap(include) ? include['path'] : include);
  const files = paths.map((path) => resolve(context.folder, path));
  const [first] = files;
  if (first === undefined) throw composeInvalid('expected a path at include but got none');
  if (context.included.includes(first)) {
    const circle = [...context.included, first].map((file) => context.sources.show(file));
    throw composeInvalid(`expected an end of include but got a circle: ${circle.join(', ')}`);
  }
  const own = isMap(include) ? textOf(include['project_directory']) : undefined;
  const folder = own === undefined ? dirname(first) : resolve(context.folder, own);
  const named = isMap(include) ? textsOf(include['env_file']) : [];
  const envFiles = named.map((file) => resolve(context.folder, file));
  const fallback = join(folder, '.env');
  if (envFiles.length === 0 && (await isFile(fallback))) envFiles.push(fallback);
  const outer = context.environment.lookup;
  const into = new Map<string, string>();
  for (const file of envFiles.filter((one) => one !== '/dev/null')) {
    const text = await context.sources.read(file);
    readDotenv(text, { file: context.sources.show(file), lookup: outer, into });
  }
  const lookup = (name: string): string | undefined => outer(name) ?? into.get(name);
  return load(files, { ...context, folder, environment: { ...context.environment, lookup } });
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false;
}
