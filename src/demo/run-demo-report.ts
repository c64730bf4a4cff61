// What the demo prints: steps, each with what is done and what was observed, and a summary.
import { escapeControls, MeshError, toSeconds } from '../base/index.js';
import { hintOf, type Output, toTable, writeLine } from '../terminal/index.js';

/** How a step reports what it does and sees. */
export interface Notes {
  /** Says what is about to be done. */
  does(text: string): void;
  /** Says what was observed, and where; if `holds` is false the step has failed. */
  saw(witness: string, text: string, holds?: boolean): void;
}

interface Result {
  readonly title: string;
  readonly summary: string;
  readonly ok: boolean;
}

const WITNESS_WIDTH = 24;
const ANSI = { bold: '1', dim: '2', red: '31', green: '32' } as const;

export class DemoReport {
  readonly #output: Output;
  readonly #colours: boolean;
  readonly #results: Result[] = [];
  #muted = false;

  constructor(output: Output, { colours }: { readonly colours: boolean }) {
    this.#output = output;
    this.#colours = colours;
  }

  get failed(): boolean {
    return this.#results.some(({ ok }) => !ok);
  }

  /** Prints nothing from now on: the demo was interrupted, and what still runs doesn't matter. */
  mute(): void {
    this.#muted = true;
  }

  heading(text: string): void {
    this.line('');
    this.#write(this.#paint(text, 'bold'));
  }

  line(text: string): void {
    this.#write(escapeControls(text));
  }

  /** A name and its text, in columns. */
  pair(name: string, text: string): void {
    this.line(`   ${name.padEnd(WITNESS_WIDTH + 6)}${text}`);
  }

  /** Runs a step. If it throws it has failed, with the error as its observation. */
  async step(title: string, run: (notes: Notes) => Promise<string>): Promise<void> {
    this.heading(`${this.#results.length + 1}. ${title}`);
    let ok = true;
    const saw = (witness: string, text: string, holds = true): void => {
      ok &&= holds;
      const mark = holds ? this.#paint('ok  ', 'green') : this.#paint('FAIL', 'red');
      this.#write(`   ${mark}  ${witness.padEnd(WITNESS_WIDTH)}${escapeControls(text)}`);
    };
    const does = (text: string): void => this.#write(this.#paint(`   ${text}`, 'dim'));
    let summary = 'see above';
    try {
      summary = await run({ does, saw });
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      saw('the demo', text, false);
      const hint = error instanceof MeshError ? (hintOf(error) ?? '') : '';
      for (const line of hint.split('\n')) if (line !== '') does(line);
    }
    this.#results.push({ title, ok, summary: ok ? summary : 'did not show what it should' });
  }

  summary(tookMs: number): void {
    this.heading('Summary');
    const rows = this.#results.map(({ title, summary, ok }, index) => [
      ok ? 'ok  ' : 'FAIL',
      `${index + 1}. ${title}`,
      summary,
    ]);
    for (const row of toTable(rows)) {
      const mark = row.slice(0, 4);
      this.#write(`   ${this.#paint(mark, mark === 'FAIL' ? 'red' : 'green')}${row.slice(4)}`);
    }
    const good = this.#results.filter(({ ok }) => ok).length;
    const seconds = toSeconds(tookMs).toFixed(1);
    this.line('');
    this.line(`${good} of ${this.#results.length} steps showed what they should, in ${seconds} s`);
  }

  /** Text that is escaped, and painted. */
  #write(text: string): void {
    if (!this.#muted) writeLine(this.#output, text);
  }

  #paint(text: string, colour: keyof typeof ANSI): string {
    const shown = escapeControls(text);
    return this.#colours ? `\x1b[${ANSI[colour]}m${shown}\x1b[0m` : shown;
  }
}
