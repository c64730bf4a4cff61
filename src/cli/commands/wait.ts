import type { Command } from 'commander';
import { toSeconds } from '../../base/index.js';
import type { WaitAnswer } from '../../server/status/index.js';
import { type Context, writeLine } from '../../terminal/index.js';
import { ask } from '../admin-client.js';
import { durationOption, type ServerOptions, serverOptions, toExample } from '../options.js';
import { count, formatProblemJson } from '../problems.js';
import { toPendingEditLine } from '../status-text.js';

interface WaitOptions extends ServerOptions {
  /** Milliseconds. */
  readonly timeout: number;
}

type Refusal = Extract<WaitAnswer, { inForce: false }>;

/** One question waits no longer than this, so that a server that has vanished is noticed. */
const SLICE_MS = 20_000;

export function define(command: Command, context: Context): void {
  command.addOption(
    durationOption({
      flags: '--timeout <duration>',
      name: '--timeout',
      description: 'give up after this long',
      fallback: '60s',
      range: ['0s', '7d'],
    }),
  );
  for (const option of serverOptions()) command.addOption(option);
  command
    .addHelpText('after', toExample('countersign wait --timeout 30s && echo in force'))
    .action(async (options: WaitOptions) => {
      const answer = await askUntil(options, context);
      if (answer.inForce) {
        const { version } = answer;
        writeLine(context.stdout, `mesh ${version} is in force on every connected proxy`);
        return;
      }
      explain(answer, options, context);
      context.exitCode = 1;
    });
}

/** Asks in slices until the answer is final or the time is up. */
async function askUntil(options: WaitOptions, { clock }: Context): Promise<WaitAnswer> {
  const endMs = clock.now() + options.timeout;
  for (;;) {
    const leftMs = Math.max(0, endMs - clock.now());
    const sliceMs = Math.min(leftMs, SLICE_MS);
    const path = `/v1/wait?timeout_ms=${Math.ceil(sliceMs)}`;
    const answer = (await ask({ ...options, path, waitMs: sliceMs, answers: [409] })) as WaitAnswer;
    if (answer.inForce || answer.reason !== 'timeout' || clock.now() >= endMs) return answer;
  }
}

function explain(answer: Refusal, { timeout }: WaitOptions, { stderr, clock }: Context): void {
  if (answer.reason === 'problems') {
    for (const problem of answer.problems) writeLine(stderr, formatProblemJson(problem));
    const found = count(answer.problems.length, 'error');
    writeLine(
      stderr,
      `error: expected a good mesh but got ${found}; an earlier one stays in force`,
    );
    return;
  }
  if (answer.reason === 'nacked') {
    for (const { node, type, error, source } of answer.nacks) {
      const place = source === undefined ? '' : `${source} `;
      writeLine(stderr, `${place}${node} rejects ${type}: ${error}`);
    }
    const found = count(answer.nacks.length, 'rejection');
    writeLine(stderr, `error: expected the mesh in force but got ${found} by Envoy`);
    return;
  }
  const proxies = answer.waitingFor;
  const who = proxies.length === 0 ? '' : `: ${proxies.join(', ')}`;
  const missing = count(proxies.length, 'proxy');
  const wanted = `expected the mesh in force within ${toSeconds(timeout)} s`;
  if (answer.pendingEdit !== undefined) {
    const edit = toPendingEditLine(answer.pendingEdit, clock.now());
    writeLine(stderr, `error: ${wanted} but ${edit}`);
    writeLine(stderr, '  hint: write the new file beside it and rename it: it is taken at once');
    return;
  }
  writeLine(stderr, `error: ${wanted} but got ${missing} still to follow${who}`);
  writeLine(stderr, '  hint: see `countersign status`, or wait longer with --timeout');
}
