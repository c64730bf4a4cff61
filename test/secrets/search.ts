// Searches what a run of the tests left: outputs that were kept, logs of failed tests, goldens.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { findSecrets } from './find-secrets.js';
import { KNOWN_ENDING } from './output.js';

export interface Places {
  readonly outputs: string;
  readonly failureLogs: string;
  readonly goldens: string;
  /** Logs of earlier runs are not this run's matter. */
  readonly sinceMs: number;
}

export interface Searched {
  /** A line for each secret, by its kind and place. */
  readonly told: readonly string[];
  /** How much was searched: nothing proves nothing. */
  readonly counts: { readonly outputs: number; readonly goldens: number; readonly keys: number };
}

export function search({ outputs, failureLogs, goldens, sinceMs }: Places): Searched {
  const kept = filesUnder(outputs);
  const isKnown = (path: string): boolean => path.endsWith(KNOWN_ENDING);
  const known = kept
    .filter(isKnown)
    .flatMap((path) => readFileSync(path, 'utf8').trim().split('\n'));
  const keys = [...new Set(known)];
  // A dump of a configuration shows an inline token: Envoy's own doing, which the documentation
  // says.
  const logs = filesUnder(failureLogs).filter(
    (path) => path.endsWith('.log') && statSync(path).mtimeMs >= sinceMs,
  );
  const printed = [...kept.filter((path) => !isKnown(path)), ...logs];
  const golden = filesUnder(goldens);
  const found = (root: string, paths: readonly string[]): readonly string[] =>
    paths.flatMap((path) => findIn(path, relative(root, path), keys));
  return {
    told: [...found(outputs, printed), ...found(goldens, golden)],
    counts: { outputs: printed.length, goldens: golden.length, keys: keys.length },
  };
}

function findIn(path: string, name: string, keys: readonly string[]): readonly string[] {
  const text = readFileSync(path, 'utf8');
  return findSecrets(text, keys).map(({ kind, at }) => {
    const [from = ''] = /^== .*$/m.exec(text.slice(text.lastIndexOf('\n== ', at) + 1)) ?? [];
    return `${name}, byte ${at}: ${kind} ${from}`.trimEnd();
  });
}

function filesUnder(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
  } catch {
    return [];
  }
}
