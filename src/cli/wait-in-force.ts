// `wait`, as other commands do it too: asks until the mesh is in force or can't be, and says so.
import { toSeconds } from '../base/index.js';
import type { WaitAnswer } from '../server/status/index.js';
import { type Context, writeLine } from '../terminal/index.js';
import { ask } from './admin-client.js';
import type { ServerOptions } from './options.js';
import { count, formatProblemJson } from './problems.js';
import { toPendingEditLine } from './status-text.js';
import { toHeldLine } from './step-text.js';
import { toUnboundLines } from './unbound-text.js';

export interface WaitOptions extends ServerOptions {
  /** Milliseconds. */
  readonly timeout: number;
  readonly proxies?: number;
  readonly service?: readonly ServiceCount[];
  readonly json?: boolean;
}

export interface ServiceCount {
  readonly service: string;
  readonly count: number;
}

type InForce = Extract<WaitAnswer, { inForce: true }>;
type Refusal = Omit<Extract<WaitAnswer, { inForce: false }>, 'troubles'> & {
  readonly troubles?: readonly string[];
};

/** One question waits no longer than this, so that a server that has vanished is noticed. */
const SLICE_MS = 20_000;

/** Prints the answer; where it is no, the command exits with 1. */
export async function waitInForce(options: WaitOptions, context: Context): Promise<void> {
  const answer = await askUntil(options, context);
  if (!answer.inForce) context.exitCode = 1;
  if (options.json === true) {
    writeLine(context.stdout, JSON.stringify(answer, undefined, 2));
  } else if (answer.inForce) confirm(answer, context);
  else explain(answer, options, context);
}

/** Asks in slices until the answer is final or the time is up. */
async function askUntil(options: WaitOptions, { clock }: Context): Promise<WaitAnswer> {
  const endMs = clock.now() + options.timeout;
  for (;;) {
    const leftMs = Math.max(0, endMs - clock.now());
    const sliceMs = Math.min(leftMs, SLICE_MS);
    const path = `/v1/wait?${toQuery(options, sliceMs)}`;
    const answer = (await ask({ ...options, path, waitMs: sliceMs, answers: [409] })) as WaitAnswer;
    if (answer.inForce || answer.reason !== 'timeout' || clock.now() >= endMs) return answer;
  }
}

function toQuery({ proxies, service = [] }: WaitOptions, sliceMs: number): string {
  const query = new URLSearchParams({ timeout_ms: String(Math.ceil(sliceMs)) });
  if (proxies !== undefined) query.set('proxies', String(proxies));
  for (const one of service) query.append('service', `${one.service}=${one.count}`);
  return query.toString();
}

function confirm({ version, proxies, undeclared }: InForce, { stdout, stderr }: Context): void {
  if (undeclared.length > 0) {
    const what = count(undeclared.length, 'connected proxy');
    const whose = 'of services that the mesh does not declare';
    writeLine(stderr, `warning: ${what} ${whose}, without configuration: ${undeclared.join(', ')}`);
  }
  if (proxies === 0) {
    writeLine(stdout, `mesh ${version} is in force, but no proxy is connected that could have it`);
    writeLine(stderr, '  hint: wait for sidecars with --proxies, or --service web=2');
    return;
  }
  writeLine(stdout, `mesh ${version} is in force on every connected proxy (${proxies})`);
}

const HELD_HINT =
  '  hint: mend what the sidecar rejects, or restart it: it is tried again; or edit the mesh file';

function explain(answer: Refusal, { timeout }: WaitOptions, { stderr, clock }: Context): void {
  // A server of an earlier version says nothing of them.
  for (const trouble of answer.troubles ?? []) writeLine(stderr, trouble);
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
    for (const { node, type, error, source, unbound } of answer.nacks) {
      for (const line of toUnboundLines(node, unbound, clock.now())) writeLine(stderr, line);
      if (unbound !== undefined) continue;
      const place = source === undefined ? '' : `${source} `;
      writeLine(stderr, `${place}${node} rejects ${type}: ${error}`);
    }
    const found = count(answer.nacks.length, 'rejection');
    writeLine(stderr, `error: expected the mesh in force but got ${found} by Envoy`);
    return;
  }
  if (answer.reason === 'held') {
    const held = answer.held ?? [];
    for (const one of held) writeLine(stderr, toHeldLine(one));
    const found = `${count(held.length, 'port')} that ${held.length === 1 ? 'stays' : 'stay'}`;
    writeLine(stderr, `error: expected the mesh in force but got ${found} as before`);
    writeLine(stderr, HELD_HINT);
    return;
  }
  const wanted = `expected the mesh in force within ${toSeconds(timeout)} s`;
  if (answer.pendingEdit !== undefined) {
    const edit = toPendingEditLine(answer.pendingEdit, clock.now());
    writeLine(stderr, `error: ${wanted} but ${edit}`);
    writeLine(stderr, '  hint: write the new file beside it and rename it: it is taken at once');
    return;
  }
  writeLine(stderr, `error: ${wanted} but ${toReasons(answer).join('; ')}`);
  writeLine(stderr, '  hint: see `countersign status`, or wait longer with --timeout');
}

function toReasons({
  waitingFor,
  keptOut = [],
  lacking = [],
  server = null,
}: Refusal): readonly string[] {
  const follow = `got ${count(waitingFor.length, 'proxy')} still to follow`;
  const lacks = lacking.map(({ service, wanted, got }) => {
    const whose = service === null ? '' : ` of ${service}`;
    return `${got} of ${count(wanted, 'proxy')}${whose} ${got === 1 ? 'has' : 'have'} it`;
  });
  const reasons = [
    ...(waitingFor.length === 0 ? [] : [`${follow}: ${waitingFor.join(', ')}`]),
    ...keptOut.map(
      ({ node, address, holder }) =>
        `${node} is kept out: its address ${address} is that of ${holder ?? 'another'}`,
    ),
    ...lacks,
    ...(server === null ? [] : [server]),
  ];
  // A server of an earlier version says no more than that.
  return reasons.length === 0 ? ['it is not'] : reasons;
}
