// Methods of a service as any gRPC program has them: from the text of `protos/` alone, by
// @grpc/proto-loader. It shares nothing with the generated code by which our server reads and
// writes, so a fault there can't hide from a client. Parsing costs some 80 ms; it is loaded with
// the first call and never by `serve`.
import { fileURLToPath } from 'node:url';
import type { ServiceDefinition } from '@grpc/proto-loader';

/** Beside `src` as well as beside `dist`. */
const PROTOS = fileURLToPath(new URL('../../protos/', import.meta.url));

/**
 * For `makeClientConstructor`. Messages are plain objects: fields in camelCase, unset ones at their
 * default, 64-bit numbers as numbers.
 */
export async function loadMethods(file: string, service: string): Promise<ServiceDefinition> {
  const { load } = await import('@grpc/proto-loader');
  const found = await load(file, {
    ...{ includeDirs: [PROTOS], longs: Number, defaults: true, oneofs: true },
  });
  const methods = found[service];
  if (methods === undefined || 'format' in methods) throw new Error(`no ${service} in ${file}`);
  return methods;
}
