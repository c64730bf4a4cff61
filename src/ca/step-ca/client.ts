// The one call that we make to step-ca: POST /1.0/sign, over TLS that ends at the given roots and
// nowhere else. Connections are kept between calls. A call is bounded in time, an answer in size;
// what the CA says goes into messages cut, as one line, and without anything that looks like a
// token.

import type { IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { z } from 'zod';
import { type Clock, MeshError, SECOND_MS, systemErrorCode } from '../../base/index.js';

export interface StepCaClientOptions {
  /** `https://host:port`. */
  readonly url: string;
  /** PEM; the CA's own server certificate must chain to one of them. */
  readonly rootsPem: string;
  readonly clock: Clock;
}

export interface SignRequest {
  readonly csrPem: string;
  readonly token: string;
  /** As step-ca reads it: a duration from its own now on (`86400s`), or a time (RFC 3339). */
  readonly notAfter: string;
}

export const SIGN_PATH = '/1.0/sign';
const TIMEOUT_MS = 10_000;
/** As many as the leaf manager has under way. */
const MAX_SOCKETS = 16;
/** Shorter than what servers and middleboxes allow: a call on a connection just closed fails. */
const IDLE_MS = 5_000;
const MAX_ANSWER_BYTES = 256 * 1024;
const MAX_WORDS = 300;
const CREATED = 201;
const JWT = /eyJ[\w-]+(\.[\w-]*)*/g;
const CONTROL = /[\p{Cc}\p{Cf}\s]+/gu;

const answerSchema = z.looseObject({ certChain: z.array(z.string()).min(1) });
const errorSchema = z.looseObject({ message: z.string() });

const NO_STEP_CA = 'authority.stepCa.url must be the address of a step-ca, as in https://ca:9000';
const SEE_LOG = 'look at the log of the CA';
const HINTS: Readonly<Record<number, string>> = {
  401:
    'in authority.stepCa, provisioner must name a JWK provisioner, key must be its private key, ' +
    'and the host of url one of the dnsNames of the CA; and the clocks of both machines must agree',
  403:
    "compare certificates.ttl with the provisioner's minTLSCertDuration and maxTLSCertDuration " +
    '(5m and 24h by default), and the names with its policy',
  404: NO_STEP_CA,
};
const UNREACHABLE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'it closed the connection',
  EAI_AGAIN: 'its name could not be looked up',
  ENOTFOUND: 'its name is not known',
  EHOSTUNREACH: 'there is no way to its host',
  ENETUNREACH: 'there is no way to its network',
  ETIMEDOUT: 'it did not answer the connection',
};
const WRONG_PEER: Readonly<Record<string, string>> = {
  ERR_TLS_CERT_ALTNAME_INVALID: 'a certificate for another name',
  CERT_HAS_EXPIRED: 'a certificate that has ended',
  CERT_NOT_YET_VALID: 'a certificate that has not begun',
  SELF_SIGNED_CERT_IN_CHAIN: 'one that ends at another root',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'one that is self-signed',
  UNABLE_TO_GET_ISSUER_CERT: 'one that ends at another root',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'one that ends at another root',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'one that ends at another root',
  CERT_SIGNATURE_FAILURE: 'one that ends at another root',
};

interface Answer {
  readonly status: number;
  readonly text: string;
}

export class StepCaClient {
  readonly #options: StepCaClientOptions;
  readonly #agent: Agent;

  constructor(options: StepCaClientOptions) {
    this.#options = options;
    this.#agent = new Agent({
      keepAlive: true,
      maxSockets: MAX_SOCKETS,
      timeout: IDLE_MS,
      // A resumed session would outlive the certificate of the CA that it was made with.
      maxCachedSessions: 0,
      ca: options.rootsPem,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
    });
  }

  /**
   * PEM of the chain that the CA answers with, leaf first, nothing of it checked.
   * @throws MeshError outside-ca-unreachable, outside-ca-refused
   */
  async sign({ csrPem, token, notAfter }: SignRequest): Promise<readonly string[]> {
    const body = JSON.stringify({ csr: csrPem, ott: token, notAfter });
    const { status, text } = await this.#post(body);
    if (status !== CREATED) throw this.#refused(status, text);
    const parsed = answerSchema.safeParse(tryJson(text));
    if (parsed.success) return parsed.data.certChain;
    throw new MeshError(
      'outside-ca-refused',
      `expected a certificate chain of the CA at ${this.#options.url} but got another answer`,
      { hint: NO_STEP_CA },
    );
  }

  /** Gives idle connections back. */
  close(): void {
    this.#agent.destroy();
  }

  async #post(body: string): Promise<Answer> {
    try {
      return await this.#attempt(body);
    } catch (error) {
      // A kept connection that the CA had closed: it never saw the request.
      if (!(error instanceof StaleConnection)) throw this.#unreachable(error);
    }
    return this.#attempt(body).catch((error: unknown) => {
      throw this.#unreachable(error);
    });
  }

  #attempt(body: string): Promise<Answer> {
    const { url, clock } = this.#options;
    return new Promise((resolve, reject) => {
      const headers = {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
      };
      const options = { method: 'POST', agent: this.#agent, headers };
      let isAnswered = false;
      const request = httpsRequest(new URL(SIGN_PATH, url), options, (response) => {
        isAnswered = true;
        readBounded(response).then((text) => {
          cancel();
          resolve({ status: response.statusCode ?? 0, text });
        }, fail);
      });
      const fail = (error: unknown): void => {
        cancel();
        const isStale =
          request.reusedSocket && !isAnswered && systemErrorCode(error) === 'ECONNRESET';
        reject(isStale ? new StaleConnection() : error);
      };
      const cancel = clock.after(TIMEOUT_MS, () => request.destroy(new TooSlow()));
      request.on('error', fail);
      request.end(body);
    });
  }

  #unreachable(error: unknown): MeshError {
    const { url } = this.#options;
    if (error instanceof MeshError) return error;
    const code = systemErrorCode(error);
    const peer = code === undefined ? undefined : WRONG_PEER[code];
    if (peer !== undefined) {
      const expected = "expected the CA's server certificate to end at authority.stepCa.root";
      return new MeshError('outside-ca-unreachable', `${expected} but ${url} showed ${peer}`, {
        hint:
          'if that is the right CA, put its root into the file of authority.stepCa.root, and ' +
          'a host name of its certificate into url',
      });
    }
    const reason =
      error instanceof TooSlow || error instanceof StaleConnection
        ? error.message
        : (UNREACHABLE[code ?? ''] ?? code ?? 'the connection failed');
    return new MeshError('outside-ca-unreachable', `the CA at ${url} does not answer: ${reason}`, {
      hint: 'certificates in force stay; start the CA, or correct authority.stepCa.url',
    });
  }

  #refused(status: number, text: string): MeshError {
    const parsed = errorSchema.safeParse(tryJson(text));
    const words = parsed.success ? toWords(parsed.data.message) : '';
    const said = words === '' ? 'no reason given' : `it says "${words}"`;
    const hint = HINTS[status] ?? (status >= 400 ? SEE_LOG : NO_STEP_CA);
    const message = `the CA at ${this.#options.url} refused a certificate (${status}): ${said}`;
    return new MeshError('outside-ca-refused', message, { hint });
  }
}

class TooSlow extends Error {
  override readonly message = `no answer within ${TIMEOUT_MS / SECOND_MS} s`;
}

class StaleConnection extends Error {
  override readonly message = 'it closed the connection';
}

async function readBounded(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) {
      response.destroy();
      const message = `expected at most ${MAX_ANSWER_BYTES} bytes of the CA but got more`;
      throw new MeshError('outside-ca-refused', message, { hint: NO_STEP_CA });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** What the CA says, fit for a log: one line, cut, and no token in it. */
function toWords(message: string): string {
  const line = message.slice(0, MAX_ANSWER_BYTES).replace(JWT, '…').replace(CONTROL, ' ').trim();
  return line.length > MAX_WORDS ? `${line.slice(0, MAX_WORDS)}…` : line;
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
