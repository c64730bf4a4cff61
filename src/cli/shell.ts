const PLAIN = /^[A-Za-z0-9_./:@%+=,-]+$/;

/** One word of a POSIX shell's command line, in single quotes if it needs them. */
export function quote(text: string): string {
  return PLAIN.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
