// A sidecar that isn't one: it joins and never answers, or rejects all that it is sent.
import { systemClock } from '../../src/base/index.js';
import { delay } from '../../src/demo/wait.js';
import type { AdsClient } from '../grpc/ads-client.js';
import { connectSidecar } from '../harness/running-server.js';
import type { StubKind } from './moves.js';

const AGAIN_MS = 300;
const INVALID_ARGUMENT = 3;

export interface StubOptions {
  readonly kind: StubKind;
  readonly address: string;
  readonly anchorPem: string;
  readonly id: string;
  readonly token: string;
}

export class Stub {
  readonly #options: StubOptions;
  #client: AdsClient | undefined;
  #isClosed = false;
  readonly #over: Promise<void>;

  constructor(options: StubOptions) {
    this.#options = options;
    this.#over = this.#run();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#client?.close();
    await this.#over;
  }

  /** Comes back whenever its stream ends. */
  async #run(): Promise<void> {
    while (!this.#isClosed) {
      const client = connectSidecar(this.#options);
      this.#client = client;
      for (let heard = await client.next(); heard !== undefined; heard = await client.next()) {
        if (this.#options.kind === 'mute') continue;
        const { typeUrl, nonce } = heard;
        const interest = { variant: 'delta', subscribe: [], unsubscribe: [] } as const;
        const error = { code: INVALID_ARGUMENT, message: 'the stub rejects everything' };
        const answer = {
          typeUrl,
          nonce,
          error,
          interest: { ...interest, initialVersions: new Map() },
        };
        client.send(answer, { node: undefined });
      }
      client.close();
      await delay(AGAIN_MS, systemClock);
    }
  }
}
