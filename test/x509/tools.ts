import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { expect, onTestFinished } from 'vitest';
import { MeshError } from '../../src/base/index.js';
import type { DataDir } from '../../src/data/index.js';
import { openDataDir } from '../../src/data/index.js';
import { parseSpiffeId } from '../../src/spiffe/index.js';
import { seededRandom } from '../fakes/seeded-random.js';

/** A folder of its own, removed after the test. */
export async function temporaryFolder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'countersign-identity-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** An opened data folder of its own, removed after the test. */
export async function temporaryDataDir(): Promise<DataDir> {
  const path = join(await temporaryFolder(), 'data');
  return openDataDir({ path, lock: false, random: seededRandom('data-dir') });
}

/** The MeshError that `work` ends with. */
export async function meshErrorOf(work: () => unknown): Promise<MeshError> {
  try {
    await work();
  } catch (error) {
    expect(error).toBeInstanceOf(MeshError);
    if (error instanceof MeshError) return error;
  }
  throw new Error('expected a MeshError but got a result');
}

export const WEB = parseSpiffeId('spiffe://shop.example/ns/default/sa/web');

/** A data folder in memory, whose writes can be made to fail. */
export class MemoryDataDir implements DataDir {
  readonly path = '/memory';
  readonly files = new Map<string, string>();
  /** Of every file. */
  modifiedAtMs = Number.MAX_SAFE_INTEGER / 2;
  /** Called before a change; what it throws, the change throws, and nothing changes. */
  beforeWrite: (name: string) => void = () => undefined;
  /** Called after a change; what it throws, the change throws, though it was made. */
  afterWrite: (name: string) => void = () => undefined;

  async read(name: string): Promise<Buffer | undefined> {
    const content = this.files.get(name);
    return content === undefined ? undefined : Buffer.from(content);
  }

  async list(folder: string): Promise<readonly string[]> {
    const prefix = `${folder}/`;
    const names = [...this.files.keys()].filter((name) => name.startsWith(prefix));
    return names.map((name) => name.slice(prefix.length)).sort();
  }

  async facts(name: string): ReturnType<DataDir['facts']> {
    const content = this.files.get(name);
    const isFolder = (await this.list(name)).length > 0;
    if (content === undefined && !isFolder) return undefined;
    const look = content ?? '';
    const size = look.length;
    return { inode: name, isFile: !isFolder, size, modifiedAtMs: this.modifiedAtMs, look };
  }

  async write(name: string, content: Parameters<DataDir['write']>[1]): Promise<void> {
    this.beforeWrite(name);
    const text = typeof content === 'function' ? content({ inode: name }) : content.toString();
    this.files.set(name, text);
    this.afterWrite(name);
  }

  async create(name: string, content: string | Buffer): Promise<boolean> {
    this.beforeWrite(name);
    if (this.files.has(name)) return false;
    this.files.set(name, content.toString());
    this.afterWrite(name);
    return true;
  }

  async remove(name: string): Promise<void> {
    this.beforeWrite(name);
    this.files.delete(name);
  }

  async setAside(name: string): Promise<string> {
    this.beforeWrite(name);
    const aside = `${name}.damaged-0`;
    const content = this.files.get(name);
    if (content !== undefined) this.files.set(aside, content);
    this.files.delete(name);
    return aside;
  }

  async tryWrite(folder: string): Promise<void> {
    this.beforeWrite(`${folder}/trial`);
  }

  async close(): Promise<void> {}
}

/** What the disk says when it is full. */
export function diskFull(): MeshError {
  return new MeshError('data-unwritable', 'expected to write but got ENOSPC');
}

/**
 * Nothing that a log could print of an error (message, hint, cause, all the way down) holds a key.
 */
export function expectNoKey(error: unknown): void {
  expect(error).toBeInstanceOf(MeshError);
  const printed = inspect(error, { depth: null, showHidden: true });
  expect(printed).not.toMatch(/PRIVATE|SECRET|[A-Za-z0-9+]{60}/);
}
