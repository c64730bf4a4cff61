// gRPC server reflection (v1, and v1alpha, which older tools ask for): what services there are and
// what their messages look like, for tools such as grpcurl. All of it is public (Envoy's API,
// gRPC's own services), so it needs no token. The descriptors are made by the build
// (scripts/gen-reflection.mjs) and read at the first request: a server that nobody reflects on pays
// nothing.
// Protocol: github.com/grpc/grpc, doc/server-reflection.md.
import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import { MeshError } from '../base/index.js';
import { grpc } from '../gen/wire.js';
import { type Descriptors, loadDescriptors } from './descriptors.js';
import type { ServiceRegistry } from './discovery.js';
import { toMethod } from './method.js';
import { toStatus } from './status.js';

type Request = grpc.reflection.v1.ServerReflectionRequest;
type Response = grpc.reflection.v1.ServerReflectionResponse;
type Call = ServerDuplexStream<Buffer, Buffer>;

const { ServerReflectionRequest, ServerReflectionResponse } = grpc.reflection.v1;

const METHOD = 'ServerReflectionInfo';

export interface ReflectionOptions {
  /** Full names of the services to list; reflection itself is listed too. */
  readonly services: readonly string[];
  /** Requests on one stream; default 1000. More end it with RESOURCE_EXHAUSTED. */
  readonly maxRequests?: number;
}

const DEFAULT_MAX_REQUESTS = 1_000;

/** Serves gRPC reflection on `server`. */
export function attachReflection(server: ServiceRegistry, options: ReflectionOptions): void {
  const own = ['v1', 'v1alpha'].map((version) => `grpc.reflection.${version}.ServerReflection`);
  const services = [...options.services, ...own].sort();
  const maxRequests = options.maxRequests ?? DEFAULT_MAX_REQUESTS;
  for (const service of own) {
    const method = { service, name: METHOD, requestStream: true, responseStream: true };
    server.addService(
      { [METHOD]: toMethod(method) },
      { [METHOD]: (call: Call) => serve(call, { services, maxRequests }) },
    );
  }
}

function serve(call: Call, { services, maxRequests }: Required<ReflectionOptions>): void {
  let requests = 0;
  /** A client that has some of the files needn't get them again on the same stream. */
  const sent = new Set<string>();
  call.on('error', () => undefined);
  call.on('end', () => call.end());
  call.on('data', (bytes: Buffer) => {
    requests += 1;
    try {
      if (requests > maxRequests) {
        throw new MeshError('resource-limit', `expected at most ${maxRequests} requests`);
      }
      const request = decode(bytes);
      const answer = respond(request, { services, sent, descriptors: loadDescriptors() });
      const response = { validHost: request.host ?? '', originalRequest: request, ...answer };
      if (call.write(Buffer.from(ServerReflectionResponse.encode(response).finish()))) return;
      call.pause();
      call.once('drain', () => call.resume());
    } catch (error) {
      call.pause();
      call.emit('error', toStatus(error));
    }
  });
}

function decode(bytes: Buffer): Request {
  try {
    return ServerReflectionRequest.decode(bytes);
  } catch (cause) {
    const message = 'expected a reflection request but got other bytes';
    throw new MeshError('request-invalid', message, { cause });
  }
}

interface Context {
  readonly services: readonly string[];
  readonly descriptors: Descriptors;
  readonly sent: Set<string>;
}

function respond(request: Request, { services, descriptors, sent }: Context): Response {
  const { fileByFilename, fileContainingSymbol, allExtensionNumbersOfType } = request;
  if (typeof request.listServices === 'string') {
    return { listServicesResponse: { service: services.map((name) => ({ name })) } };
  }
  if (typeof fileByFilename === 'string') return toFiles(fileByFilename, { descriptors, sent });
  if (typeof fileContainingSymbol === 'string') {
    const file = descriptors.fileOf(fileContainingSymbol);
    return toFiles(file, { descriptors, sent });
  }
  if (typeof allExtensionNumbersOfType === 'string') {
    // Options are left out of our descriptors, and nothing else extends a message.
    const known = descriptors.fileOf(allExtensionNumbersOfType) !== undefined;
    if (!known) return notFound();
    return { allExtensionNumbersResponse: { baseTypeName: allExtensionNumbersOfType } };
  }
  if (request.fileContainingExtension) return notFound();
  return toError(status.INVALID_ARGUMENT, 'expected a question but got none');
}

/** That file and what it needs, each once on a stream; asked for again, the file itself again. */
function toFiles(
  file: string | undefined,
  { descriptors, sent }: Pick<Context, 'descriptors' | 'sent'>,
): Response {
  const names = file === undefined ? [] : descriptors.withDependencies(file);
  if (names.length === 0) return notFound();
  const wanted = names.filter((name) => name === file || !sent.has(name));
  for (const name of wanted) sent.add(name);
  const bytes = wanted.map((name) => descriptors.bytesOf(name));
  return { fileDescriptorResponse: { fileDescriptorProto: bytes } };
}

function notFound(): Response {
  return toError(status.NOT_FOUND, 'not known here');
}

function toError(errorCode: status, errorMessage: string): Response {
  return { errorResponse: { errorCode, errorMessage } };
}
