import type { ServiceDefinition } from '@grpc/grpc-js';

const identity = (bytes: Buffer): Buffer => bytes;

export interface MethodOptions {
  readonly service: string;
  readonly name: string;
  /** Whether the caller sends a stream of messages. */
  readonly requestStream: boolean;
  readonly responseStream: boolean;
}

/**
 * A method whose messages pass as the bytes that they are: what serves it decodes and encodes them.
 */
export function toMethod(options: MethodOptions): ServiceDefinition[string] {
  const { service, name, requestStream, responseStream } = options;
  return {
    path: `/${service}/${name}`,
    requestStream,
    responseStream,
    requestSerialize: identity,
    requestDeserialize: identity,
    responseSerialize: identity,
    responseDeserialize: identity,
  };
}
