// What came of one call, as a line for a person: the application's answer, or what refused it.
import { systemErrorCode } from '../../base/index.js';

export interface Outcome {
  readonly ok: boolean;
  /** Without a full stop. */
  readonly text: string;
}

/** Of a call that an answer came to, or that failed; never rejects. */
export async function toOutcome(call: () => Promise<Outcome>): Promise<Outcome> {
  try {
    return await call();
  } catch (error) {
    const code = systemErrorCode(error);
    const message = error instanceof Error ? error.message : String(error);
    return { ok: false, text: `refused (${code ?? message})` };
  }
}
