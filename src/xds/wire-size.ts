// How many bytes names and versions take in a request.

/** Bytes of a name in a list of names: tag, length and text. */
function nameBytes(name: string): number {
  return fieldBytes(Buffer.byteLength(name));
}

interface NameAndVersion {
  readonly name: string;
  readonly version: string;
}

/** Bytes of an entry of initial_resource_versions, with what it is wrapped in. */
export function claimBytes({ name, version }: NameAndVersion): number {
  return fieldBytes(nameBytes(name) + nameBytes(version));
}

/** A tag of one byte, the length as a varint, and so many bytes. */
function fieldBytes(length: number): number {
  return 1 + (length < 0x80 ? 1 : length < 0x4000 ? 2 : length < 0x20_0000 ? 3 : 4) + length;
}

/** Bytes of a list of names. */
export function namesBytes(names: Iterable<string>): number {
  let bytes = 0;
  for (const name of names) bytes += nameBytes(name);
  return bytes;
}
