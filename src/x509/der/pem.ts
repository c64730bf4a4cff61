// PEM (RFC 7468): how blocks are written, and the three ways in which they are read: our own one
// byte for byte, every block of a text, and a text that is one block and nothing else. Private keys
// pass here: nothing is thrown, so nothing of them can get into a message.

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

/** DER of each block with this label, in order, whatever stands between them. */
export function splitPemBlocks(label: string, text: string): readonly Buffer[] {
  const block = new RegExp(
    `-----BEGIN ${label}-----\\s+([A-Za-z0-9+/=\\s]+)-----END ${label}-----`,
    'g',
  );
  return [...text.matchAll(block)].map(([, body = '']) => Buffer.from(toBase64(body), 'base64'));
}

/**
 * DER of a text that is one block, with one of these labels, and nothing else but white space;
 * undefined: it is not.
 */
export function readOnlyPemBlock(labels: readonly string[], text: string): Buffer | undefined {
  const block = new RegExp(
    `^\\s*-----BEGIN (${labels.join('|')})-----([A-Za-z0-9+/=\\s]+)-----END \\1-----\\s*$`,
  );
  const base64 = toBase64(block.exec(text)?.[2] ?? '');
  const der = Buffer.from(base64, 'base64');
  // Node's decoder skips what it doesn't know: only the one spelling of these bytes is let in.
  return base64 !== '' && der.toString('base64') === base64 ? der : undefined;
}

function toBase64(body: string): string {
  return body.replace(/\s/g, '');
}
