// A folder of files as one document: maps merge; what else is given twice has no one place and is
// an error.
import { toPlace } from '../base/index.js';
import type { Report } from './report.js';
import { type Entry, formatPath, type MapTree, type Path } from './tree.js';

/** Both maps as one. Places stay those of the files; a shared map has the place of `first`. */
export function mergeTrees(first: MapTree, second: MapTree, report: Report): MapTree {
  return mergeMaps({ first, second, path: [], report });
}

interface Merge {
  readonly first: MapTree;
  readonly second: MapTree;
  readonly path: Path;
  readonly report: Report;
}

function mergeMaps({ first, second, path, report }: Merge): MapTree {
  const entries = new Map<string, Entry>(first.entries);
  for (const [key, entry] of second.entries) {
    const earlier = entries.get(key);
    if (earlier === undefined) {
      entries.set(key, entry);
    } else if (earlier.value.kind === 'map' && entry.value.kind === 'map') {
      const maps = { first: earlier.value, second: entry.value };
      const value = mergeMaps({ ...maps, path: [...path, key], report });
      entries.set(key, { source: earlier.source, value });
    } else {
      report.add({
        source: entry.source,
        path: formatPath([...path, key]),
        message: `expected one place but got it at ${toPlace(earlier.source)} too`,
        hint: 'only maps of several files are joined: keep one of the two',
      });
    }
  }
  return { kind: 'map', source: first.source, entries };
}
