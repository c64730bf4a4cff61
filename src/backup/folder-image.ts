// The files of a data folder as one value, and that value as bytes: compressed JSON. What comes
// back is checked as strictly as a user's file, since it is written to the disk under the names
// that it says.
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { z } from 'zod';
import { MeshError } from '../base/index.js';
import { isDataName, LOCK_FILE } from '../data/index.js';

export interface ImageFile {
  /** `file` or `folder/file`. */
  readonly name: string;
  readonly content: Buffer;
}

export interface FolderImage {
  /** Ms since the epoch. */
  readonly createdAtMs: number;
  /** Sorted by name; each name once. */
  readonly files: readonly ImageFile[];
}

/** More than 10,000 proxies need; V8 must be able to hold it as one string of base64. */
export const MAX_IMAGE_BYTES = 256 * 1024 * 1024;
export const MAX_IMAGE_FILES = 100_000;
const MAX_JSON_BYTES = 400 * 1024 * 1024;

const schema = z.strictObject({
  version: z.literal(1),
  createdAtMs: z.number().int().nonnegative(),
  files: z
    .array(z.strictObject({ name: z.string(), base64: z.base64() }))
    .max(MAX_IMAGE_FILES)
    .min(1),
});

/** Whether a file or folder is of this process or machine, not of the mesh: no image has it. */
export function isPassing(name: string): boolean {
  const isLock = name === LOCK_FILE || name.endsWith('.lock');
  return isLock || name === 'lost+found' || name.startsWith('.');
}

/** Compressed JSON. */
export async function encodeImage({ createdAtMs, files }: FolderImage): Promise<Buffer> {
  const image: z.infer<typeof schema> = {
    version: 1,
    createdAtMs,
    files: files.map(({ name, content }) => ({ name, base64: content.toString('base64') })),
  };
  return promisify(gzip)(JSON.stringify(image));
}

/**
 * The image that was encoded; every name in it is one that a data folder may have.
 * @throws MeshError backup-invalid
 */
export async function decodeImage(bytes: Buffer): Promise<FolderImage> {
  let json: unknown;
  try {
    const text = await promisify(gunzip)(bytes, { maxOutputLength: MAX_JSON_BYTES });
    json = JSON.parse(text.toString('utf8'));
  } catch {
    throw invalid('expected compressed JSON in the backup but got other content');
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    const place = parsed.error.issues[0]?.path.join('.') ?? '';
    throw invalid(`expected the files of a data folder in the backup but got another ${place}`);
  }
  const { createdAtMs, files } = parsed.data;
  const names = files.map(({ name }) => name);
  const wrong = names.find((name) => !isDataName(name) || name.split('/').some(isPassing));
  if (wrong !== undefined) {
    throw invalid(`expected names of a data folder in the backup but got ${JSON.stringify(wrong)}`);
  }
  const folders = new Set(names.flatMap((name) => name.split('/').slice(0, -1)));
  if (new Set(names).size < names.length || names.some((name) => folders.has(name))) {
    throw invalid('expected each name once in the backup but got one twice');
  }
  return {
    createdAtMs,
    files: files.map(({ name, base64 }) => ({ name, content: Buffer.from(base64, 'base64') })),
  };
}

function invalid(message: string): MeshError {
  return new MeshError('backup-invalid', message, {
    hint: 'it was made by another version, or by another program',
  });
}
