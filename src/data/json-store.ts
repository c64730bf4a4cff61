// One JSON document of the data folder, and the one way to version what it holds: a number in the
// file beside the value, which this version writes and asks for. Content is checked on the way in
// as strictly as a user's file; an error names the file and the place in it but never its content,
// which may have keys in it. Writes of one document by one store are serialised; one that waits is
// overtaken by a newer one.
import type { z } from 'zod';
import type { DataDir } from './data-dir.js';
import { damaged } from './data-errors.js';

export interface JsonStore<T> {
  /** Undefined where there is none. @throws MeshError data-damaged, data-unreadable */
  read(): Promise<T | undefined>;
  /** Resolves when this value, or a newer one, is durable. @throws MeshError data-unwritable */
  write(value: T): Promise<void>;
}

/** A store of the data folder, which must not be given back while a write is under way. */
export interface DurableStore<T> extends JsonStore<T> {
  /**
   * Makes the document, durably; false where there is one already, which stays.
   * @throws MeshError data-unwritable
   */
  create(value: T): Promise<boolean>;
  /** Resolves when no write is under way. */
  settled(): Promise<void>;
}

export interface JsonStoreOptions<T> {
  readonly dataDir: DataDir;
  readonly name: string;
  /** Of the value, without its version. */
  readonly schema: z.ZodType<T>;
  /** Undefined: the file holds the value alone, as its first version did. */
  readonly version?: number;
  /** Older versions whose content this schema reads too. */
  readonly alsoReads?: readonly number[];
  /** What a file of another version is: damaged (default), or as good as none. */
  readonly others?: 'damaged' | 'none';
  /** The version's name in the file; default `version`. */
  readonly versionField?: string;
}

export function createJsonStore<T>(options: JsonStoreOptions<T>): DurableStore<T> {
  const { dataDir, name } = options;
  let newest: { readonly value: T } | undefined;
  let running: Promise<void> = Promise.resolve();
  const writeNewest = async (): Promise<void> => {
    if (newest === undefined) return;
    const content = serialize(newest.value, options);
    newest = undefined;
    await dataDir.write(name, content);
  };
  return {
    read: () => readStored(options),
    write(value) {
      newest = { value };
      const done = running.then(writeNewest);
      running = done.catch(() => undefined);
      return done;
    },
    create: (value) => dataDir.create(name, serialize(value, options)),
    settled: () => running,
  };
}

function serialize<T>(
  value: T,
  { version, versionField = 'version' }: JsonStoreOptions<T>,
): string {
  const stored = version === undefined ? value : { [versionField]: version, ...value };
  return `${JSON.stringify(stored, undefined, 1)}\n`;
}

async function readStored<T>(options: JsonStoreOptions<T>): Promise<T | undefined> {
  const { dataDir, name, schema } = options;
  const content = await dataDir.read(name);
  if (content === undefined) return undefined;
  const opened = openVersion(toJson(content, options), options);
  if (opened === undefined) return undefined;
  const parsed = schema.safeParse(opened.value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const place = issue === undefined || issue.path.length === 0 ? 'the file' : issue.path.join('.');
  throw damaged({ dataDir, name, what: `expected ${place} as it was stored but got another form` });
}

function toJson<T>(content: Buffer, { dataDir, name }: JsonStoreOptions<T>): unknown {
  try {
    return JSON.parse(content.toString('utf8'));
  } catch {
    throw damaged({ dataDir, name, what: 'expected JSON but got other content' });
  }
}

/** The value without its version; undefined where another version counts as none. */
function openVersion<T>(
  json: unknown,
  options: JsonStoreOptions<T>,
): { readonly value: unknown } | undefined {
  const { dataDir, name, version, versionField = 'version' } = options;
  if (version === undefined) return { value: json };
  const isObject = typeof json === 'object' && json !== null && !Array.isArray(json);
  const { [versionField]: got, ...value }: Record<string, unknown> = isObject ? { ...json } : {};
  if (got === version || options.alsoReads?.some((one) => one === got)) return { value };
  if (typeof got === 'number' && options.others === 'none') return undefined;
  const what =
    typeof got === 'number'
      ? `expected ${versionField} ${version} but got ${got}, of another version of countersign`
      : `expected ${versionField} as it was stored but got another form`;
  throw damaged({ dataDir, name, what });
}
