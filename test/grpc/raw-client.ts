// Calls whose messages are bytes, for services that are no discovery streams.
import { Client, type ClientDuplexStream, credentials, Metadata } from '@grpc/grpc-js';

const identity = (bytes: Buffer): Buffer => bytes;

export interface Ended {
  readonly code: number;
  readonly details: string;
}

export interface RawCallOptions {
  readonly path: string;
  readonly authorization?: string;
}

/** Answers and the end of one call, in order. */
export class RawCall {
  readonly #call: ClientDuplexStream<Buffer, Buffer>;
  readonly #heard: (Buffer | Ended)[] = [];
  readonly #waiting: (() => void)[] = [];

  constructor(client: Client, { path, authorization }: RawCallOptions) {
    const metadata = new Metadata();
    if (authorization !== undefined) metadata.set('authorization', authorization);
    this.#call = client.makeBidiStreamRequest(path, identity, identity, metadata, {});
    this.#call.on('data', (bytes: Buffer) => this.#hear(bytes));
    this.#call.on('error', () => undefined);
    this.#call.on('status', ({ code, details }) => this.#hear({ code, details }));
  }

  send(bytes: Uint8Array): this {
    this.#call.write(Buffer.from(bytes));
    return this;
  }

  end(): this {
    this.#call.end();
    return this;
  }

  cancel(): void {
    this.#call.cancel();
  }

  async next(): Promise<Buffer | Ended> {
    for (;;) {
      const heard = this.#heard.shift();
      if (heard !== undefined) return heard;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** The next message; an end instead is an Error. */
  async message(): Promise<Buffer> {
    const heard = await this.next();
    if (!('code' in heard)) return heard;
    throw new Error(`expected a message but got ${heard.code} ${heard.details}`);
  }

  async ended(): Promise<Ended> {
    const heard = await this.next();
    if ('code' in heard) return heard;
    throw new Error('expected an end but got a message');
  }

  #hear(heard: Buffer | Ended): void {
    this.#heard.push(heard);
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/**
 * Over one connection in plain text. A unary method is a stream of one message each way on the
 * wire.
 */
export class RawClient {
  readonly #client: Client;

  constructor(address: string) {
    this.#client = new Client(address, credentials.createInsecure());
  }

  call(options: RawCallOptions): RawCall {
    return new RawCall(this.#client, options);
  }

  /** One request, one answer; an end without an answer is returned as such. */
  async unary(bytes: Uint8Array, options: RawCallOptions): Promise<Buffer | Ended> {
    return this.call(options).send(bytes).end().next();
  }

  close(): void {
    this.#client.close();
  }
}
