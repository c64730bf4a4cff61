// One JSON document of the data folder, checked on the way in. Writes of one document are
// serialised; one that waits is overtaken by a newer one.
import type { z } from 'zod';
import type { DataDir } from './data-dir.js';
import { parseStored } from './stored-json.js';

export interface JsonStore<T> {
  /** @throws MeshError data-damaged, data-unreadable */
  read(): Promise<T | undefined>;
  /** Resolves when this value, or a newer one, is durable. @throws MeshError data-unwritable */
  write(value: T): Promise<void>;
}

/** A store of the data folder, which must not be given back while a write is under way. */
export interface DurableStore<T> extends JsonStore<T> {
  /** Resolves when no write is under way. */
  settled(): Promise<void>;
}

export interface JsonStoreOptions<T> {
  readonly dataDir: DataDir;
  readonly name: string;
  readonly schema: z.ZodType<T>;
}

export function createJsonStore<T>({
  dataDir,
  name,
  schema,
}: JsonStoreOptions<T>): DurableStore<T> {
  let newest: { readonly value: T } | undefined;
  let running: Promise<void> = Promise.resolve();
  const writeNewest = async (): Promise<void> => {
    if (newest === undefined) return;
    const content = `${JSON.stringify(newest.value, undefined, 1)}\n`;
    newest = undefined;
    await dataDir.write(name, content);
  };
  return {
    read: () => parseStored({ dataDir, name, schema }),
    write(value) {
      newest = { value };
      const done = running.then(writeNewest);
      running = done.catch(() => undefined);
      return done;
    },
    settled: () => running,
  };
}
