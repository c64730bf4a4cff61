// PEM (RFC 7468) of one block: what we write, and the strict form of it that is read back. Private
// keys pass here: nothing is thrown, so nothing of them can get into a message.

const LINE = 64;

/** Lines of 64 characters, with a line feed at the end of each. */
export function toPemBlock(label: string, der: Buffer): string {
  const base64 = der.toString('base64');
  let text = `-----BEGIN ${label}-----\n`;
  for (let at = 0; at < base64.length; at += LINE) text += `${base64.slice(at, at + LINE)}\n`;
  return `${text}-----END ${label}-----\n`;
}

/** DER of the one block that `pem` is, written as we write it; undefined: it is not. */
export function readPemBlock(label: string, pem: string): Buffer | undefined {
  const [begin, end] = [`-----BEGIN ${label}-----\n`, `-----END ${label}-----\n`];
  if (!pem.startsWith(begin) || !pem.endsWith(end)) return undefined;
  const der = Buffer.from(pem.slice(begin.length, -end.length), 'base64');
  return toPemBlock(label, der) === pem ? der : undefined;
}
