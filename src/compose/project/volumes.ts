// What a service mounts: of the short form (`./data:/data:ro`), the long one, and whatever else a
// file has in that place.
import { isMap, textOf, type Value } from './values.js';

export interface Mount {
  readonly type: 'bind' | 'volume' | 'other';
  /** A path or a volume's name; undefined: a volume without a name. */
  readonly source: string | undefined;
  readonly target: string;
}

const WINDOWS_DRIVE = /^[a-zA-Z]:[\\/]/;

export function toMount(entry: Value): Mount {
  if (!isMap(entry)) return fromShort(textOf(entry) ?? '');
  const type = textOf(entry['type']);
  return {
    type: type === 'bind' || type === 'volume' ? type : 'other',
    source: textOf(entry['source']),
    target: textOf(entry['target']) ?? '',
  };
}

export function volumeTarget(entry: Value): string {
  return toMount(entry).target;
}

/** Whether a short form's source is a path, and no volume's name. */
export function isPath(source: string): boolean {
  return /^[./~]/.test(source) || source.startsWith('\\\\') || WINDOWS_DRIVE.test(source);
}

function fromShort(text: string): Mount {
  const drive = WINDOWS_DRIVE.test(text) ? 2 : 0;
  const colon = text.indexOf(':', drive);
  if (colon < 0) return { type: 'volume', source: undefined, target: text };
  const source = text.slice(0, colon);
  const target = text.slice(colon + 1).split(':', 1)[0] ?? '';
  return { type: isPath(source) ? 'bind' : 'volume', source, target };
}
