import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadSync } from '@grpc/proto-loader';
import protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';
import * as generated from '../../src/gen/wire.js';

// Our .proto files: what another reader of them than the generator's (@grpc/proto-loader, with a
// protobufjs of its own) puts on the wire, and the files of Envoy's that they are parts of.

const require = createRequire(import.meta.url);
const PROTOS = fileURLToPath(new URL('../../protos', import.meta.url));
const FILES = readdirSync(join(PROTOS, 'countersign')).map((name) => `countersign/${name}`);
const DEPS = join(dirname(require.resolve('@grpc/grpc-js-xds/package.json')), 'deps');
const UPSTREAM = [
  ...['envoy-api', 'googleapis', 'protoc-gen-validate', 'xds'].map((name) => join(DEPS, name)),
  dirname(require.resolve('protobufjs/package.json')),
];

function loadRoot(files: readonly string[], folders: readonly string[]): protobuf.Root {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) =>
    folders.map((folder) => join(folder, target)).find(existsSync) ?? target;
  root.loadSync([...files], { keepCase: false });
  root.resolveAll();
  return root;
}

function typesIn(namespace: protobuf.NamespaceBase): readonly protobuf.Type[] {
  return namespace.nestedArray.flatMap((nested) => [
    ...(nested instanceof protobuf.Type ? [nested] : []),
    ...(nested instanceof protobuf.Namespace ? typesIn(nested) : []),
  ]);
}

const nameOf = (one: protobuf.ReflectionObject): string => one.fullName.slice(1);
const TYPES = typesIn(loadRoot(FILES, [PROTOS, ...UPSTREAM])).filter(
  (type) => !nameOf(type).startsWith('google.'),
);

describe('proto-loader and the generated code', () => {
  interface Codec {
    encode(value: object): { finish(): Uint8Array };
    decode(bytes: Uint8Array): object;
  }
  const loaded = loadSync([...FILES], { includeDirs: [PROTOS] });

  /** Of any scalar type something that isn't its default. */
  const SCALARS: Readonly<Record<string, unknown>> = {
    ...{ string: 'text', bytes: Buffer.from([0, 1, 255]), bool: true, double: -1.5 },
    ...{ int32: -300, uint32: 300, int64: 2 ** 40 + 1, fixed64: 2 ** 40 + 1 },
  };

  function sampleOf(field: protobuf.Field, depth: number): unknown {
    const { resolvedType } = field;
    const one =
      resolvedType instanceof protobuf.Type
        ? toMessage(resolvedType, depth + 1)
        : resolvedType instanceof protobuf.Enum
          ? Math.max(...Object.values(resolvedType.values))
          : SCALARS[field.type];
    if (one === undefined) throw new Error(`no sample of ${field.type}`);
    if (field.map) return { a: one, b: one };
    return field.repeated ? [one, one] : one;
  }

  /** Every field, and the last one of each oneof, as deep as messages that hold themselves go. */
  function toMessage(type: protobuf.Type, depth: number): object {
    if (depth > 4) return {};
    const fields = type.fieldsArray.filter(
      (field) => field.partOf === null || field.partOf.fieldsArray.at(-1) === field,
    );
    return Object.fromEntries(fields.map((field) => [field.name, sampleOf(field, depth)]));
  }

  /** What is inside a message is a part of its cases; the older reflection has no code. */
  const compared = TYPES.filter(
    (type) => !(type.parent instanceof protobuf.Type) && !nameOf(type).includes('.v1alpha.'),
  );
  const cases = compared.flatMap((type) => [
    { name: nameOf(type), field: 'all', value: toMessage(type, 0) },
    ...type.fieldsArray.map((field) => ({
      ...{ name: nameOf(type), field: field.name, value: { [field.name]: sampleOf(field, 0) } },
    })),
  ]);

  test('there are messages to compare', () => {
    expect(cases.length).toBeGreaterThan(100);
  });

  test.each(cases)('write the same bytes: $name, $field', ({ name, value }) => {
    const stock = loaded[name] as unknown as {
      serialize(value: object): Buffer;
      deserialize(bytes: Buffer): object;
    };
    const codec = name
      .split('.')
      .reduce((at: unknown, part) => (at as Record<string, unknown>)[part], generated) as Codec;
    const bytes = Buffer.from(codec.encode(value).finish());
    expect(stock.serialize(value).toString('hex')).toBe(bytes.toString('hex'));
    // And each reads from them all that is in them.
    expect(stock.serialize(stock.deserialize(bytes)).equals(bytes)).toBe(true);
    expect(Buffer.from(codec.encode(codec.decode(bytes)).finish()).equals(bytes)).toBe(true);
  });
});

describe("Envoy's and Google's own files", () => {
  const theirs = loadRoot(
    [
      'envoy/service/discovery/v3/discovery.proto',
      'envoy/service/status/v3/csds.proto',
      'envoy/service/health/v3/hds.proto',
      'google/rpc/status.proto',
    ],
    UPSTREAM,
  );
  const NAMESPACES = [
    'envoy.service.discovery.v3',
    'envoy.service.status.v3',
    'envoy.service.health.v3',
    'envoy.admin.v3',
    'envoy.config.core.v3',
    'envoy.type.v3',
    'envoy.type.matcher.v3',
    'envoy.type.matcher.v3.StructMatcher',
    'google.protobuf',
    'google.rpc',
  ];

  function findTheirs(name: string): protobuf.ReflectionObject | null {
    const inside = name.replace('countersign.wire.', '');
    // By its full name: `lookup` also finds what another namespace has.
    const get = (path: string): protobuf.ReflectionObject | null =>
      path
        .split('.')
        .reduce<protobuf.ReflectionObject | null>(
          (at, part) => (at instanceof protobuf.Namespace ? at.get(part) : null),
          theirs,
        );
    const found = NAMESPACES.map((namespace) => get(`${namespace}.${inside}`));
    return found.find((one) => one !== null) ?? null;
  }

  /** What decides the bytes; a message that we don't look into is bytes to us. */
  function shapeOf(field: protobuf.Field): object {
    const { id, repeated, map, resolvedType, type } = field;
    const name = protobuf.util.camelCase(field.name);
    const isMessage = resolvedType instanceof protobuf.Type || type === 'bytes';
    const isEnum = resolvedType instanceof protobuf.Enum;
    const kind = isMessage ? 'bytes' : isEnum ? 'enum' : type;
    return { id, name, repeated, map, kind };
  }

  const ours = TYPES.filter((type) => nameOf(type).startsWith('countersign.wire.'));

  test.each(ours.map((type) => ({ name: nameOf(type), type })))(
    'number and shape each field of $name as we do',
    ({ name, type }) => {
      const found = findTheirs(name);
      if (!(found instanceof protobuf.Type)) throw new Error(`expected a message like ${name}`);
      const shapes = type.fieldsArray.map(shapeOf);
      expect(shapes).toEqual(
        type.fieldsArray.map(({ id }) => found.fieldsById[id]).map((one) => one && shapeOf(one)),
      );
    },
  );

  test.each(['ConfigStatus', 'ClientResourceStatus'])('number %s as we do', (name) => {
    const root = loadRoot(FILES, [PROTOS, ...UPSTREAM]);
    const own = root.lookupEnum(`countersign.wire.${name}`).values;
    const found = findTheirs(name);
    if (!(found instanceof protobuf.Enum)) throw new Error(`expected an enum like ${name}`);
    const numbers = Object.values(found.values);
    expect(Object.values(own).filter((number) => !numbers.includes(number))).toEqual([]);
    for (const [key, number] of Object.entries(own)) {
      if (!/UNKNOWN/.test(key)) expect(found.values[key]).toBe(number);
    }
  });

  test('the methods of client status', () => {
    const methodsOf = (root: protobuf.Root): object =>
      Object.fromEntries(
        root
          .lookupService('envoy.service.status.v3.ClientStatusDiscoveryService')
          .methodsArray.map(({ name, requestStream, responseStream }) => [
            name,
            { requestStream: requestStream === true, responseStream: responseStream === true },
          ]),
      );
    const own = loadRoot(['countersign/status-service.proto'], [PROTOS]);
    expect(methodsOf(own)).toEqual(methodsOf(theirs));
  });
});
