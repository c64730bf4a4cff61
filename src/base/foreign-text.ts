// Text that somebody else wrote (a proxy's NACK, a node id, a name in a token) on its way into our
// messages: cut where it enters, and unable to steer a terminal where it comes out.

/**
 * C0 but tab and newline, DEL, C1, line and paragraph separators, and what reorders text (Unicode
 * Standard Annex 9). Half of a surrogate pair has no encoding: whoever writes it might fail.
 */
const STEERING = /(?![\n\t])[\p{Cc}\p{Cs}\p{Bidi_Control}\p{Zl}\p{Zp}]/gu;

/**
 * The text with an escape in place of each character that steers a terminal. The escapes are
 * JSON's, and JSON has such characters in its strings alone: it stays the same JSON.
 */
export function escapeControls(text: string): string {
  return text.replace(STEERING, toEscape);
}

/** The same on one line: whoever wrote the text can't begin a line of ours. */
function toOneLine(text: string): string {
  return escapeControls(text).replaceAll('\n', '\\n').replaceAll('\t', '\\t');
}

/** One line of at most `limit` characters of the text, and how many it had. */
export function toShortText(text: string, limit: number): string {
  if (text.length <= limit) return toOneLine(text);
  return `${toOneLine(text.slice(0, limit))}… (${text.length} characters)`;
}

function toEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
