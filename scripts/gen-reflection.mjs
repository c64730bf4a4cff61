// What gRPC reflection answers with: the FileDescriptorProto of each .proto file, by file name,
// with the files that it needs and the symbols that it declares. Made here from protobufjs'
// reflection, without custom options, so that a dependency is a file whose types are really used.
import { relative, sep } from 'node:path';
import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor.js';

const SCALARS = {
  double: 1,
  float: 2,
  int64: 3,
  uint64: 4,
  int32: 5,
  fixed64: 6,
  fixed32: 7,
  bool: 8,
  string: 9,
  bytes: 12,
  uint32: 13,
  sfixed32: 15,
  sfixed64: 16,
  sint32: 17,
  sint64: 18,
};
const MESSAGE = 11;
const ENUM = 14;
const LABEL = { optional: 1, repeated: 3 };

/** Well-known types are built into protobufjs, which forgets their files. */
const WELL_KNOWN = new Map(
  ['any', 'duration', 'empty', 'struct', 'timestamp', 'wrappers'].flatMap((name) => {
    const file = `google/protobuf/${name}.proto`;
    const { nested } = protobuf.common.get(file).nested.google.nested.protobuf;
    return Object.keys(nested).map((type) => [`.google.protobuf.${type}`, file]);
  }),
);

const topLevel = (object) =>
  object.parent instanceof protobuf.Type ? topLevel(object.parent) : object;

/** The name by which other files import the one that declares `object`. */
function fileOf(object, paths) {
  const top = topLevel(object);
  if (!top.filename) return WELL_KNOWN.get(top.fullName);
  const inside = paths
    .map((path) => relative(path, top.filename))
    .find((name) => !name.startsWith('..'));
  return inside?.split(sep).join('/');
}

const camel = (name) => name.replace(/(?:^|_)([a-z0-9])/g, (_all, letter) => letter.toUpperCase());

/** `use` notes each type referred to, for the file's dependencies. */
function typeOf(name, resolved, use) {
  if (resolved === null || resolved === undefined) return { type: SCALARS[name] };
  use(resolved);
  const type = resolved instanceof protobuf.Enum ? ENUM : MESSAGE;
  return { type, typeName: resolved.fullName };
}

function toField(field, use) {
  const { id: number, protoName: name, name: jsonName } = field;
  if (field.map) {
    const typeName = `${field.parent.fullName}.${camel(name)}Entry`;
    return { name, number, jsonName, label: LABEL.repeated, type: MESSAGE, typeName };
  }
  const oneofIndex = field.partOf ? field.parent.oneofsArray.indexOf(field.partOf) : undefined;
  return {
    name,
    number,
    jsonName,
    label: field.repeated ? LABEL.repeated : LABEL.optional,
    ...typeOf(field.type, field.resolvedType, use),
    ...(oneofIndex === undefined ? {} : { oneofIndex }),
    ...(field.options?.proto3_optional ? { proto3Optional: true } : {}),
  };
}

function toMapEntry(field, use) {
  const label = LABEL.optional;
  return {
    name: `${camel(field.protoName)}Entry`,
    field: [
      { name: 'key', number: 1, label, type: SCALARS[field.keyType] },
      { name: 'value', number: 2, label, ...typeOf(field.type, field.resolvedType, use) },
    ],
    options: { mapEntry: true },
  };
}

const toEnum = ({ name, values, options }) => ({
  name,
  value: Object.entries(values).map(([key, number]) => ({ name: key, number })),
  ...(options?.allow_alias ? { options: { allowAlias: true } } : {}),
});

function toMessage(type, use) {
  const fields = type.fieldsArray.filter((field) => !field.declaringField);
  const nested = type.nestedArray.filter((one) => one instanceof protobuf.Type);
  return {
    name: type.name,
    field: fields.map((field) => toField(field, use)),
    oneofDecl: type.oneofsArray.map(({ name }) => ({ name })),
    nestedType: [
      ...nested.map((one) => toMessage(one, use)),
      ...fields.filter(({ map }) => map).map((field) => toMapEntry(field, use)),
    ],
    enumType: type.nestedArray.filter((one) => one instanceof protobuf.Enum).map(toEnum),
  };
}

function toService(service, use) {
  const method = service.methodsArray.map((one) => {
    use(one.resolvedRequestType);
    use(one.resolvedResponseType);
    return {
      name: one.name,
      inputType: one.resolvedRequestType.fullName,
      outputType: one.resolvedResponseType.fullName,
      clientStreaming: one.requestStream === true,
      serverStreaming: one.responseStream === true,
    };
  });
  return { name: service.name, method };
}

/**
 * Messages, enums and services of a namespace, those of nested packages too; not what nests in
 * them.
 */
function* declared(namespace) {
  for (const nested of namespace.nestedArray) {
    const isOwn = [protobuf.Type, protobuf.Enum, protobuf.Service].some((k) => nested instanceof k);
    if (isOwn) yield nested;
    else if (nested instanceof protobuf.Namespace) yield* declared(nested);
  }
}

function symbolsOf(object) {
  const own = object.fullName.slice(1);
  const nested = object instanceof protobuf.Type ? object.nestedArray.flatMap(symbolsOf) : [];
  const methods = object instanceof protobuf.Service ? object.methodsArray : [];
  return [own, ...nested, ...methods.map(({ name }) => `${own}.${name}`)];
}

/** Those named and all that they need: not the files that only declare options. */
function closure(described, names) {
  const wanted = new Set(names);
  for (const name of wanted) for (const needed of described[name].dependencies) wanted.add(needed);
  return [...wanted].sort();
}

/**
 * `{ file name: { descriptor (base64), dependencies, symbols } }` of the files named, and of what
 * they need; `root` has them loaded and resolved.
 */
export function toReflection(root, { files: names, paths }) {
  const byFile = new Map();
  for (const object of declared(root)) {
    const file = fileOf(object, paths);
    if (file !== undefined) byFile.set(file, [...(byFile.get(file) ?? []), object]);
  }
  const entries = [...byFile].map(([name, objects]) => {
    const dependencies = new Set();
    const use = (object) => dependencies.add(fileOf(object, paths));
    const of = (kind) => objects.filter((object) => object instanceof kind);
    const body = {
      name,
      package: objects[0].parent.fullName.slice(1),
      syntax: 'proto3',
      messageType: of(protobuf.Type).map((type) => toMessage(type, use)),
      enumType: of(protobuf.Enum).map(toEnum),
      service: of(protobuf.Service).map((service) => toService(service, use)),
    };
    dependencies.delete(name);
    const dependency = [...dependencies].sort();
    const { FileDescriptorProto } = descriptor;
    const bytes = FileDescriptorProto.encode(
      FileDescriptorProto.fromObject({ ...body, dependency }),
    ).finish();
    const symbols = objects.flatMap(symbolsOf);
    const encoded = Buffer.from(bytes).toString('base64');
    return [name, { descriptor: encoded, dependencies: dependency, symbols }];
  });
  const described = Object.fromEntries(entries);
  return Object.fromEntries(closure(described, names).map((name) => [name, described[name]]));
}
