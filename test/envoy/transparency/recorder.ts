import { createServer, type Socket } from 'node:net';
import { type Message, statusOf, tryHead, tryMessage } from './http1.js';

/** What the application does, in order. */
export type AnswerStep =
  /** Waits for the head, or the whole, of the request. */
  | { readonly on: 'head' | 'request' }
  /** Waits until so much came after the head of an upgrade. */
  | { readonly until: string }
  | { readonly send: string }
  | 'end';

export interface Script {
  /** One for each request of the case; the last for all that follow. */
  readonly answers: readonly (readonly AnswerStep[])[];
}

/** An application of raw sockets: it records what arrives and answers by script. */
export interface Recorder {
  readonly address: string;
  readonly port: number;
  /** What has arrived since `play`. */
  readonly requests: readonly Message[];
  /** Bytes that came after an upgrade. */
  readonly tunnelled: string;
  play(script: Script): void;
  close(): Promise<void>;
}

export async function startRecorder(at: {
  readonly address: string;
  readonly port: number;
}): Promise<Recorder> {
  const sockets = new Set<Socket>();
  let play = new Play({ answers: [] });
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    const served = new Served(socket);
    socket.on('data', (bytes: Buffer) => served.take(bytes.toString('latin1'), () => play));
    socket.on('end', () => socket.end());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: at.address, port: at.port }, resolve);
  });
  return {
    ...at,
    get requests() {
      return play.requests;
    },
    get tunnelled() {
      return play.tunnelled;
    },
    play(script) {
      play = new Play(script);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** A script on its way, and what has arrived meanwhile. */
class Play {
  readonly requests: Message[] = [];
  tunnelled = '';
  #begun = 0;

  constructor(private readonly script: Script) {}

  /** The steps for the request that begins. */
  begin(): AnswerStep[] {
    const { answers } = this.script;
    const steps = answers[Math.min(this.#begun, answers.length - 1)] ?? [];
    this.#begun++;
    return [...steps];
  }
}

/** One connection of a client. */
class Served {
  #text = '';
  /** What is left to do for the request at hand. */
  #steps: AnswerStep[] | undefined;
  #upgraded = false;
  /** The request at hand has arrived whole. */
  #whole = false;

  constructor(private readonly socket: Socket) {}

  take(text: string, play: () => Play): void {
    this.#text += text;
    while (this.#next(play())) {
      // One step at a time.
    }
  }

  /** False where it has to wait for more. */
  #next(play: Play): boolean {
    if (this.#steps === undefined) {
      if (tryHead(this.#text) === undefined) return false;
      this.#steps = play.begin();
      this.#whole = false;
    }
    this.#record(play);
    const [step] = this.#steps;
    if (step === undefined) {
      if (!this.#whole || this.#upgraded) return false;
      this.#steps = undefined;
      return true;
    }
    if (!this.#do(step, play)) return false;
    this.#steps.shift();
    return true;
  }

  #record(play: Play): void {
    if (this.#upgraded || this.#whole) return;
    const parsed = tryMessage(this.#text, { kind: 'request' });
    if (parsed === undefined) return;
    play.requests.push(parsed.message);
    this.#text = parsed.rest;
    this.#whole = true;
  }

  #do(step: AnswerStep, play: Play): boolean {
    if (step === 'end') {
      this.socket.end();
      return true;
    }
    if ('send' in step) {
      this.socket.write(step.send, 'latin1');
      this.#upgraded ||= statusOf(step.send) === 101;
      return true;
    }
    if ('on' in step) return step.on === 'head' || this.#whole;
    if (!this.#text.includes(step.until)) return false;
    play.tunnelled += this.#text;
    this.#text = '';
    return true;
  }
}
