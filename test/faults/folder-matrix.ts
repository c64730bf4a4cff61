// The folder matrix: every file that belongs to a data folder, lost or damaged in every way, and
// what a start and a running server make of it. The list of files is the product's own: one that is
// new needs its row here, and docs/data-folder.md shows the table.
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DATA_FILES } from '../../src/server/folder/data-files.js';

export type Verdict =
  /** The start is refused, and the file is named. */
  | 'refused'
  /** A new one takes its place, and that is said. */
  | 'made again'
  /** Nothing else changes, and the file is named. */
  | 'told'
  /** It isn't needed, or nothing is wrong with it. */
  | 'serves on'
  /** There is no such thing. */
  | '–';

export const FORMS = [
  'absent',
  'empty',
  'half',
  'garbage',
  'unreadable',
  'of another time',
] as const;
export type Form = (typeof FORMS)[number];

/** Of a start, then of a running server. */
export type Row = Readonly<Record<Form, readonly [stopped: Verdict, running: Verdict]>>;

export const MANIFEST = 'data-manifest.json';
export const NAMES: readonly string[] = [...DATA_FILES.map(({ name }) => name), MANIFEST];

function rowOf(
  stopped: Partial<Record<Form, Verdict>> & { readonly damaged: Verdict },
  running: Partial<Record<Form, Verdict>> & { readonly damaged: Verdict } = { damaged: 'told' },
): Row {
  const of = (verdicts: typeof stopped, form: Form): Verdict =>
    verdicts[form] ?? (form === 'of another time' ? 'serves on' : verdicts.damaged);
  const pairs = FORMS.map((form) => [form, [of(stopped, form), of(running, form)]]);
  return Object.fromEntries(pairs) as Row;
}

const KEY = rowOf({ damaged: 'refused' });
const AGAIN = rowOf({ damaged: 'made again' });

export const EXPECTED: Readonly<Record<string, Row>> = {
  'authority.json': KEY,
  'token-keys.json': KEY,
  'xds-anchor.json': KEY,
  // Known from the marks.
  revocations: rowOf({ damaged: 'made again' }),
  'revocation-marks.json': AGAIN,
  'crls.json': AGAIN,
  // A folder stands for one of its files, but for `absent`.
  'handed-out': rowOf({ damaged: 'told' }),
  leaves: rowOf({ damaged: 'told' }),
  'issued-tokens': rowOf({ damaged: 'told' }),
  // An order that makes no sense is answered so, and set aside.
  orders: rowOf(
    { damaged: 'serves on', 'of another time': '–' },
    { absent: 'told', damaged: 'serves on', 'of another time': '–' },
  ),
  'mesh.json': AGAIN,
  'rollout.json': AGAIN,
  'registry.json': AGAIN,
  'static-envoys.json': AGAIN,
  'sidecars.json': AGAIN,
  'drains.json': AGAIN,
  'outbound-indexes.json': AGAIN,
  'xds-server.json': AGAIN,
  'clock.json': AGAIN,
  'bundles-handed-out.json': AGAIN,
  // Removed at a start: the mesh has its own CA.
  'step-ca.json': rowOf(
    { absent: 'serves on', damaged: 'made again', 'of another time': '–' },
    { absent: '–', damaged: '–', 'of another time': '–' },
  ),
  // Without it a loss is seen by the keys alone.
  [MANIFEST]: rowOf({ absent: 'serves on', damaged: 'made again', 'of another time': 'told' }),
};

/** The file of a name within the folder; of a sub-folder its first that can be in that state. */
export function toFile(
  data: string,
  name: string,
  { form, earlier }: Spoiling,
): string | undefined {
  const path = join(data, name);
  if (!existsSync(path)) return undefined;
  if (form === 'absent' || !statSync(path).isDirectory()) return name;
  const files = readdirSync(path)
    .filter((file) => /^[^.]+(\.\d+)?\.json$/.test(file))
    .sort()
    .map((file) => `${name}/${file}`);
  return files.find((file) => form !== 'of another time' || existsSync(join(earlier, file)));
}

/** Brings a file into that state; false where it can't be. */
export function spoil(data: string, file: string, { form, earlier }: Spoiling): boolean {
  const path = join(data, file);
  const content = statSync(path).isDirectory() ? undefined : readFileSync(path);
  const old = join(earlier, file);
  if (form === 'of another time' && !existsSync(old)) return false;
  rmSync(path, { recursive: true });
  if (form === 'absent') return true;
  if (form === 'unreadable') {
    // Root reads whatever its mode says; nobody reads a folder.
    mkdirSync(path, { mode: 0o700 });
    return true;
  }
  writeFileSync(path, toContent(content ?? Buffer.alloc(0), form, old), { mode: 0o600 });
  return true;
}

export interface Spoiling {
  readonly form: Form;
  /** The folder as it was earlier. */
  readonly earlier: string;
}

function toContent(content: Buffer, form: Form, old: string): Buffer {
  switch (form) {
    case 'empty':
      return Buffer.alloc(0);
    case 'half':
      return content.subarray(0, Math.floor(content.length / 2));
    case 'garbage': {
      const noise = createHash('sha256').update(content).digest();
      return Buffer.concat([noise, Buffer.from([0, 255, 254])]);
    }
    default:
      return readFileSync(old);
  }
}

/** Puts a file back as it was: the running server's folder stays the same one. */
export function putBack(data: string, file: string, made: string): void {
  rmSync(join(data, file), { recursive: true, force: true });
  cpSync(join(made, file), join(data, file), { recursive: true });
}

/** As docs/data-folder.md has them: the verdicts, and what is lost without each. */
export function toMarkdown(expected: Readonly<Record<string, Row>>): readonly string[] {
  const verdicts = Object.entries(expected).map(([name, row]) => [
    `\`${name}\``,
    ...FORMS.map((form) => row[form].join(' / ')),
  ]);
  const losses = DATA_FILES.map(({ name, holds, without }) => [`\`${name}\``, holds, without]);
  return [
    toTable(['file', ...FORMS], verdicts),
    toTable(['file', 'it holds', 'without it'], losses),
  ];
}

function toTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => '---'), ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
