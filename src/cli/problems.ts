// Problems of a mesh as JSON from the server, and as text. (`formatProblem` of policy formats
// problem objects; commands that only ask a server don't load the policy just for that.)
import type { ProblemJson } from '../policy/index.js';

/** As policy's `formatProblem` shows it. */
export function formatProblemJson(problem: ProblemJson): string {
  const { severity, place, path, message, hint } = problem;
  const subject = path === '' ? ':' : ` ${path}:`;
  const kind = severity === 'error' ? '' : `${severity}: `;
  const line = `${place}${subject} ${kind}${message}`;
  return hint === undefined ? line : `${line}\n  hint: ${hint}`;
}

/** A number with its noun in singular or plural: `1 error`, `2 proxies`. */
export function count(number: number, word: string): string {
  if (number === 1) return `1 ${word}`;
  const plural = word.endsWith('y') ? `${word.slice(0, -1)}ies` : `${word}s`;
  return `${number} ${plural}`;
}
