const PLAIN = /^[A-Za-z0-9_./:@%+=,-]+$/;

/** One word of a POSIX shell's command line: as it is, or in single quotes where it must be. */
export function quote(text: string): string {
  return PLAIN.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
