// What is said of revocations whose files are gone or damaged, and of records that no longer say
// whose a certificate was.
import type { RevocationFolder } from '../../revocation/index.js';
import { toSubjectText } from '../../revocation/index.js';
import { COMMANDS } from '../../terminal/index.js';

type Stock = Awaited<ReturnType<RevocationFolder['take']>>;

/** So many are named. */
const NAMED = 10;

/** One sentence for each kind of loss. */
export function toLostTexts(
  { lost, unknown }: Stock,
  damagedRecords: readonly string[],
): readonly string[] {
  const texts: string[] = [];
  if (lost.length > 0) {
    const files = lost.map(({ file, error, revocation }) => {
      const what = error === undefined ? 'is gone' : 'is damaged';
      return `${file} ${what}, ${toSubjectText(revocation)} stays revoked`;
    });
    texts.push(
      `${some(files, '; ')}: start the server again, which writes it anew, or take it back by ` +
        COMMANDS.undoRevocation,
    );
  }
  if (unknown.size > 0) {
    const files = some([...unknown.keys()], ', ');
    texts.push(
      `${files}: nobody knows what it revoked, so that is not in force, and the next start is ` +
        'refused: restore it from a backup, or revoke that again and remove the file',
    );
  }
  if (damagedRecords.length > 0) {
    const files = some(damagedRecords, ', ');
    texts.push(
      `${files}: the record is damaged, so a revocation of its holder does not reach that ` +
        'certificate, unless it did before: revoke it by its serial, or have a new one issued',
    );
  }
  return texts;
}

/** At a start, which has written the lost files anew. */
export function toAnewText({ lost }: Stock): string {
  const files = lost.map(({ file, error }) => `${file} was ${error ? 'damaged' : 'gone'}`);
  return `${some(files, ', ')}: what was revoked stays so, and the file is written anew`;
}

function some(items: readonly string[], separator: string): string {
  const more = items.length - NAMED;
  return [...items.slice(0, NAMED), ...(more > 0 ? [`${more} more`] : [])].join(separator);
}
