// Turns encoded Envoy messages into ProtoJSON with `@type`, which Envoy itself accepts, for
// `bootstrap` and `render`. The descriptor is loaded on first use; the server never needs it.
import { readFileSync } from 'node:fs';
import protojson from 'protobufjs/ext/protojson.js';
import protobuf from 'protobufjs/light.js';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

let root: protobuf.Root | undefined;

function descriptor(): protobuf.Root {
  if (root === undefined) {
    const text = readFileSync(new URL('../gen/descriptor.json', import.meta.url), 'utf8');
    root = protobuf.Root.fromJSON(JSON.parse(text));
    nameAsInProto(root);
    protojson.install();
  }
  return root;
}

/**
 * ProtoJSON allows both spellings; Envoy's documentation, config_dump and users write snake_case.
 */
function nameAsInProto(namespace: protobuf.NamespaceBase): void {
  for (const nested of namespace.nestedArray) {
    if (nested instanceof protobuf.Type) {
      for (const field of nested.fieldsArray) {
        Object.assign(field, { jsonName: field.name.replaceAll(/[A-Z]/g, toUnderscored) });
      }
    }
    if (nested instanceof protobuf.Namespace) nameAsInProto(nested);
  }
}

const toUnderscored = (letter: string): string => `_${letter.toLowerCase()}`;

/** The message of that type as ProtoJSON, in Envoy's own field names (snake_case). */
export function toProtoJson(typeName: string, bytes: Uint8Array): { [key: string]: Json } {
  const type = descriptor().lookupType(typeName);
  return type.toJson(type.decode(bytes)) as { [key: string]: Json };
}
