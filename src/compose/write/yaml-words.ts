// Words of YAML files that we write as text. Every value is quoted that YAML 1.1 or 1.2 might take
// for something else than its letters.

const PLAIN = /^[A-Za-z_][A-Za-z0-9_./-]*$/;
const OTHER = /^(?:y|n|yes|no|on|off|true|false|null|inf|nan)$/i;

/** A key or a value of a flow or block collection. */
export function word(text: string): string {
  return PLAIN.test(text) && !OTHER.test(text) ? text : JSON.stringify(text);
}

/** A value in a compose file, in which `$` begins a variable. */
export function composeWord(text: string): string {
  return word(text.replaceAll('$', '$$$$'));
}

/** `[a, b]` */
export function flowList(texts: readonly string[]): string {
  return `[${texts.map(composeWord).join(', ')}]`;
}

/** Any value of JSON, as the compose file takes it again. */
export function composeValue(value: unknown): string {
  return JSON.stringify(value).replaceAll('$', '$$$$');
}

/** What stands in a comment, on one line. */
export function remark(text: string): string {
  return `# ${text.replace(/\s+/g, ' ').trim()}`;
}

/** Each line moved to the right; empty ones stay empty. */
export function indent(lines: readonly string[], by: number): string[] {
  return lines.map((line) => (line === '' ? line : `${' '.repeat(by)}${line}`));
}
