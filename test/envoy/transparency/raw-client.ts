import { connect, type Socket } from 'node:net';
import { type ConnectionOptions, connect as tlsConnect } from 'node:tls';
import { withDeadline } from '../../../src/demo/wait.js';
import { headerOf, type Message, statusOf, tryHead, tryMessage } from './http1.js';

/** What a client does, in order. */
export type SendStep =
  | string
  /** Waits until this has arrived. */
  | { readonly until: string }
  /** Ends its side, and reads on. */
  | 'half-close'
  /** Does something else meanwhile. */
  | (() => Promise<void>);

export interface RawCall {
  readonly address: string;
  readonly port: number;
  readonly tls?: ConnectionOptions;
  readonly send: readonly SendStep[];
  /** The method of each request, in order: so many answers are waited for. */
  readonly methods: readonly string[];
  /** Waits for these bytes after an upgrade. */
  readonly tunnelled?: string | undefined;
}

export interface RawAnswers {
  /** Interim answers are among them. */
  readonly answers: readonly Message[];
  readonly tunnelled: string;
  /** The connection ended before all answers came. */
  readonly cut: boolean;
}

const DEADLINE_MS = 4_000;

/** A client of raw sockets: sends bytes as they are, and reads answers as they come. */
export async function rawCall(call: RawCall): Promise<RawAnswers> {
  const state = new Reading(call);
  await withDeadline(
    { what: `answers from ${call.address}:${call.port}`, timeoutMs: DEADLINE_MS },
    (signal) => {
      const socket = open(call);
      signal.addEventListener('abort', () => socket.destroy());
      return exchange(socket, call, state);
    },
  ).catch((error: unknown) => {
    if (!state.done) state.failed = String(error);
  });
  return state.result();
}

function open({ address, port, tls }: RawCall): Socket {
  return tls === undefined
    ? connect({ host: address, port, allowHalfOpen: true })
    : tlsConnect({ host: address, port, ...tls, allowHalfOpen: true } as ConnectionOptions);
}

function exchange(socket: Socket, { send }: RawCall, state: Reading): Promise<void> {
  const steps = [...send];
  return new Promise((resolve, reject) => {
    let busy = false;
    const go = (): void => {
      while (!busy) {
        const [step] = steps;
        if (step === undefined) break;
        if (typeof step === 'object' && !state.seen.includes(step.until)) break;
        steps.shift();
        if (typeof step === 'function') {
          busy = true;
          step()
            .then(() => {
              busy = false;
              go();
            })
            .catch(reject);
        } else if (step === 'half-close') socket.end();
        else if (typeof step === 'string') socket.write(step, 'latin1');
      }
      if (state.done) {
        socket.destroy();
        resolve();
      }
    };
    socket.on('data', (bytes: Buffer) => {
      state.take(bytes.toString('latin1'));
      go();
    });
    socket.on('end', () => {
      state.end();
      socket.destroy();
      resolve();
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      state.end();
      resolve();
    });
    go();
  });
}

class Reading {
  readonly #call: RawCall;
  readonly #answers: Message[] = [];
  #text = '';
  #final = 0;
  #upgraded = false;
  #tunnelled = '';
  seen = '';
  failed: string | undefined;

  constructor(call: RawCall) {
    this.#call = call;
  }

  get done(): boolean {
    const { methods, tunnelled } = this.#call;
    if (this.#upgraded && tunnelled !== undefined) return this.#tunnelled.includes(tunnelled);
    return this.#final >= methods.length;
  }

  take(text: string): void {
    this.seen += text;
    this.#text += text;
    this.#read(false);
  }

  end(): void {
    this.#read(true);
  }

  #read(ended: boolean): void {
    for (;;) {
      if (this.#upgraded) {
        this.#tunnelled += this.#text;
        this.#text = '';
        return;
      }
      const head = tryHead(this.#text);
      if (head === undefined) return;
      const method = this.#call.methods[this.#final] ?? 'GET';
      const parsed = tryMessage(this.#text, { kind: 'response', method, ended });
      if (parsed === undefined) return;
      this.#answers.push(parsed.message);
      this.#text = parsed.rest;
      const status = statusOf(head.start);
      if (status === 101 || (method === 'CONNECT' && status === 200)) {
        this.#upgraded = headerOf(head.headers, 'upgrade') !== undefined || method === 'CONNECT';
      }
      if (status >= 200 || status === 101) this.#final++;
    }
  }

  result(): RawAnswers {
    return { answers: this.#answers, tunnelled: this.#tunnelled, cut: !this.done };
  }
}
