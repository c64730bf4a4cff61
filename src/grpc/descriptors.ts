// The .proto files of what this server speaks, as gRPC reflection hands them out. Loaded on first
// use.
import { readFileSync } from 'node:fs';

/** As scripts/gen-reflection.mjs writes it, by file name. */
interface File {
  /** google.protobuf.FileDescriptorProto in base64. */
  readonly descriptor: string;
  readonly dependencies: readonly string[];
  /** Full names of messages, enums, services and methods. */
  readonly symbols: readonly string[];
}

export interface Descriptors {
  /** The file that declares that message, enum, service or method. */
  fileOf(symbol: string): string | undefined;
  /** That file and all that it needs, directly or not, itself first; empty where there is none. */
  withDependencies(file: string): readonly string[];
  /** The file's encoded FileDescriptorProto; empty where there is none. */
  bytesOf(file: string): Uint8Array;
}

let loaded: Descriptors | undefined;

export function loadDescriptors(): Descriptors {
  loaded ??= createDescriptors(read());
  return loaded;
}

function read(): ReadonlyMap<string, File> {
  const text = readFileSync(new URL('../gen/reflection.json', import.meta.url), 'utf8');
  return new Map(Object.entries(JSON.parse(text) as Record<string, File>));
}

function createDescriptors(files: ReadonlyMap<string, File>): Descriptors {
  const fileBySymbol = new Map(
    [...files].flatMap(([name, { symbols }]) => symbols.map((symbol) => [symbol, name] as const)),
  );
  return {
    fileOf: (symbol) => fileBySymbol.get(symbol),
    withDependencies(file) {
      const names = new Set(files.has(file) ? [file] : []);
      for (const name of names)
        for (const needed of files.get(name)?.dependencies ?? []) names.add(needed);
      return [...names];
    },
    bytesOf: (file) => Buffer.from(files.get(file)?.descriptor ?? '', 'base64'),
  };
}
