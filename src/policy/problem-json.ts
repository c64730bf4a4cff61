import { toPlace } from '../base/index.js';
import type { Problem } from './model.js';

/** A problem as the HTTP API and `--json` show it. `place` is `file:line:column`. */
export interface ProblemJson {
  readonly severity: Problem['severity'];
  readonly place: string;
  readonly path: string;
  readonly message: string;
  readonly hint?: string;
}

export function toProblemJson({ severity, source, path, message, hint }: Problem): ProblemJson {
  const json = { severity, place: toPlace(source), path, message };
  return hint === undefined ? json : { ...json, hint };
}
