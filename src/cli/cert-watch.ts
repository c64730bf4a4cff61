// `cert --watch`: the certificate is renewed at half of its life. A change of root is followed at
// once: the new anchors are written as soon as they are in force, since whoever lacks them refuses
// what others show then; and when the new root signs, the certificate is renewed, since it is of
// the root that will go.

import type { Context } from '../terminal/index.js';
import { splitPem } from '../x509/read/index.js';
import { type CertOrder, issue, writeAnchors } from './cert-files.js';
import type { CertSource, Obtained } from './cert-source.js';
import { reportError } from './exit.js';
import { startRepetition } from './repetition.js';

/** Share of the lifetime after which it is renewed. */
const RENEW_AT = 0.5;
/** The clock is looked at this often, so that a machine's sleep or a set clock is noticed. */
const LOOK_EVERY_MS = 30_000;
const RETRY_MS = 5_000;

/** The first certificate must succeed; later failures are reported and tried again. */
export async function watchCertificate(
  source: CertSource,
  order: CertOrder,
  context: Context,
): Promise<void> {
  const repetition = startRepetition(context);
  try {
    const watch = new CertWatch(await issue(source, order, context), { source, order, context });
    const following = source.follow({
      onAnchors: (pem) => {
        if (watch.hear(pem)) repetition.wake();
      },
      onProblem: (error) => reportError(error, context),
    });
    try {
      while (await repetition.pause(watch.pauseMs)) {
        await following.look();
        await watch.step();
      }
    } finally {
      following.end();
    }
  } finally {
    repetition.end();
  }
}

interface Parts {
  readonly source: CertSource;
  readonly order: CertOrder;
  readonly context: Context;
}

class CertWatch {
  readonly #parts: Parts;
  /** The trust anchors as they were last heard of. */
  #heardPem: string;
  #obtained: Obtained;
  #renewAtMs: number;

  constructor(obtained: Obtained, parts: Parts) {
    this.#parts = parts;
    this.#obtained = obtained;
    this.#heardPem = obtained.anchorsPem;
    this.#renewAtMs = toRenewAtMs(obtained);
  }

  get pauseMs(): number {
    if (this.#heardPem !== this.#obtained.anchorsPem) return RETRY_MS;
    const leftMs = this.#renewAtMs - this.#parts.context.clock.now();
    return Math.min(LOOK_EVERY_MS, Math.max(0, leftMs));
  }

  /** Whether these anchors are news. */
  hear(anchorsPem: string): boolean {
    const isNew = anchorsPem !== this.#heardPem;
    this.#heardPem = anchorsPem;
    return isNew;
  }

  async step(): Promise<void> {
    const { source, order, context } = this.#parts;
    try {
      await this.#takeAnchors();
      if (context.clock.now() < this.#renewAtMs) return;
      const heardPem = this.#heardPem;
      this.#obtained = await issue(source, order, context);
      // Unless others were heard of meanwhile.
      if (this.#heardPem === heardPem) this.#heardPem = this.#obtained.anchorsPem;
      this.#renewAtMs = toRenewAtMs(this.#obtained);
    } catch (error) {
      reportError(error, context);
      this.#renewAtMs = Math.max(this.#renewAtMs, context.clock.now() + RETRY_MS);
    }
  }

  async #takeAnchors(): Promise<void> {
    const anchorsPem = this.#heardPem;
    const before = this.#obtained.anchorsPem;
    if (anchorsPem === before) return;
    const { order, context } = this.#parts;
    const obtained = { ...this.#obtained, anchorsPem };
    await writeAnchors(obtained, order, context);
    this.#obtained = obtained;
    if (signingRoot(anchorsPem) !== signingRoot(before)) this.#renewAtMs = context.clock.now();
  }
}

/** Stands first in the anchors. */
function signingRoot(anchorsPem: string): string | undefined {
  return splitPem(anchorsPem)[0]?.toString('hex');
}

function toRenewAtMs({ issuedAtMs, notAfterMs }: Obtained): number {
  return issuedAtMs + (notAfterMs - issuedAtMs) * RENEW_AT;
}
