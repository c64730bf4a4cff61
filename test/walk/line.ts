// Questions and answers over one TCP connection, one after the other.
import type { Socket } from 'node:net';

export interface Speech {
  /** What is said before the first question, if anything. */
  readonly hello: Buffer | undefined;
  readonly question: (count: number) => Buffer;
  /** The answer's application, once all of it is there; undefined: not yet. */
  readonly read: (received: Buffer, count: number) => { name?: string } | undefined;
}

/** The echo application says its name once and repeats each line. */
export const TEXT: Speech = {
  hello: undefined,
  question: (count) => Buffer.from(`line ${count}\n`),
  read(received, count) {
    const text = received.toString('latin1');
    if (!text.endsWith(`line ${count}\n`)) return undefined;
    const [, name] = /^(\w+): /.exec(text) ?? [];
    return name === undefined ? {} : { name };
  },
};

/** PostgreSQL's protocol 3.0 (documentation, 55.7): startup, then simple queries. */
export const POSTGRES: Speech = {
  hello: startup({ user: 'postgres', database: 'postgres' }),
  question: () => message('Q', Buffer.from("SELECT 'base'\0")),
  read(received, count) {
    const types = messagesOf(received);
    const failed = types.find(({ type }) => type === 'E');
    if (failed !== undefined) throw new Error(`refused by the database: ${failed.body}`);
    // ReadyForQuery: after the startup, and after each query.
    const ready = types.filter(({ type }) => type === 'Z').length;
    if (ready < (count === 1 ? 2 : 1)) return undefined;
    return types.some(({ type, body }) => type === 'D' && body.includes('base'))
      ? { name: 'base' }
      : undefined;
  },
};

function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(type, 'latin1');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

function startup(parameters: Readonly<Record<string, string>>): Buffer {
  const pairs = Object.entries(parameters).map(([name, value]) => `${name}\0${value}\0`);
  const body = Buffer.from(`${pairs.join('')}\0`);
  const head = Buffer.alloc(8);
  head.writeInt32BE(head.length + body.length, 0);
  head.writeInt32BE(196_608, 4);
  return Buffer.concat([head, body]);
}

function messagesOf(received: Buffer): { type: string; body: string }[] {
  const found: { type: string; body: string }[] = [];
  for (let at = 0; at + 5 <= received.length; ) {
    const length = received.readInt32BE(at + 1);
    if (at + 1 + length > received.length) break;
    const type = received.toString('latin1', at, at + 1);
    found.push({ type, body: received.toString('latin1', at + 5, at + 1 + length) });
    at += 1 + length;
  }
  return found;
}

/** @throws Error `closed …` where the other side ends it. */
export class Line {
  readonly #socket: Socket;
  readonly #speech: Speech;
  #received = Buffer.alloc(0);
  #asked = 0;
  #name = '';
  #end: Error | undefined;
  #look: () => void = () => undefined;

  constructor(socket: Socket, speech: Speech) {
    this.#socket = socket;
    this.#speech = speech;
    const end = (why: string): void => {
      this.#end ??= new Error(`closed ${why}`);
      this.#look();
    };
    socket.on('error', (error) => end(`by an error: ${error.message}`));
    socket.on('end', () => end('by the other side'));
    socket.on('close', () => end('by the other side'));
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#look();
    });
    if (speech.hello !== undefined) socket.write(speech.hello);
  }

  /** Who answers. */
  ask(): Promise<string> {
    const count = ++this.#asked;
    this.#received = count === 1 ? this.#received : Buffer.alloc(0);
    return new Promise((resolve, reject) => {
      this.#look = () => {
        try {
          const answer = this.#speech.read(this.#received, count);
          if (answer !== undefined) {
            this.#name = answer.name ?? this.#name;
            this.#look = () => undefined;
            resolve(this.#name);
          } else if (this.#end !== undefined) reject(this.#end);
        } catch (error) {
          reject(error);
        }
      };
      if (this.#end === undefined) this.#socket.write(this.#speech.question(count));
      this.#look();
    });
  }

  close(): void {
    this.#socket.destroy();
  }
}
