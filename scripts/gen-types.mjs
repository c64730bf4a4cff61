// TypeScript shapes of protobuf messages, from protobufjs' reflection: one exact interface a
// message (no index signature, no `any`), a class with `encode` (and `decode`) where the static
// module has them.
import protobuf from 'protobufjs';

const SCALARS = {
  double: 'number',
  float: 'number',
  int32: 'number',
  uint32: 'number',
  sint32: 'number',
  fixed32: 'number',
  sfixed32: 'number',
  int64: 'number',
  uint64: 'number',
  sint64: 'number',
  fixed64: 'number',
  sfixed64: 'number',
  bool: 'boolean',
  string: 'string',
  bytes: 'Uint8Array',
};

const qualified = (type) => type.fullName.slice(1);

function fieldType(field) {
  const one = field.resolvedType ? qualified(field.resolvedType) : SCALARS[field.type];
  if (one === undefined) throw new Error(`no TypeScript type for ${field.fullName}: ${field.type}`);
  if (field.map) return `{ [key: string]: ${one} }`;
  return field.repeated ? `readonly ${one.includes(' ') ? `(${one})` : one}[]` : one;
}

function emitMessage(type, encodedRoot, methods, lines, indent) {
  lines.push(`${indent}interface ${type.name} {`);
  for (const field of type.fieldsArray) {
    // An extension: an option of a .proto file, never on the wire.
    if (field.declaringField) continue;
    lines.push(`${indent}  ${field.name}?: ${fieldType(field)} | undefined;`);
  }
  lines.push(`${indent}}`);
  if (encodedRoot.lookup(type.fullName) instanceof protobuf.Type) {
    // A class, since only that merges with the namespace of its nested types.
    lines.push(`${indent}class ${type.name} {`, `${indent}  private constructor();`);
    const name = qualified(type);
    lines.push(`${indent}  static encode(message: ${name}, writer?: Writer): Writer;`);
    if (methods.includes('decode')) {
      lines.push(`${indent}  static decode(bytes: Uint8Array, length?: number): ${name};`);
    }
    lines.push(`${indent}}`);
  }
}

function emitNamespace(namespace, encodedRoot, methods, lines, indent) {
  for (const nested of namespace.nestedArray) {
    if (nested instanceof protobuf.Enum) {
      lines.push(`${indent}enum ${nested.name} {`);
      for (const [key, value] of Object.entries(nested.values)) {
        lines.push(`${indent}  ${key} = ${value},`);
      }
      lines.push(`${indent}}`);
    } else if (nested instanceof protobuf.Type) {
      emitMessage(nested, encodedRoot, methods, lines, indent);
    }
    if (nested instanceof protobuf.Namespace && nested.nestedArray.length > 0) {
      lines.push(`${indent}namespace ${nested.name} {`);
      emitNamespace(nested, encodedRoot, methods, lines, `${indent}  `);
      lines.push(`${indent}}`);
    }
  }
}

export function emitTypes(shapes, encoded, methods) {
  const lines = [
    "import type { Writer } from 'protobufjs/minimal.js';",
    'export interface Encoder<T> {',
    '  encode(message: T, writer?: Writer): Writer;',
    '}',
    ...(methods.includes('decode')
      ? [
          'export interface Codec<T> extends Encoder<T> {',
          '  decode(bytes: Uint8Array, length?: number): T;',
          '}',
        ]
      : []),
  ];
  for (const top of shapes.nestedArray) {
    lines.push(`export namespace ${top.name} {`);
    emitNamespace(top, encoded, methods, lines, '  ');
    lines.push('}');
  }
  return `${lines.join('\n')}\n`;
}
