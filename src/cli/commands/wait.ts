import { type Command, Option } from 'commander';
import { toSeconds } from '../../base/index.js';
import type { WaitAnswer } from '../../server/status/index.js';
import { type Context, writeLine } from '../../terminal/index.js';
import { ask } from '../admin-client.js';
import {
  durationOption,
  jsonOption,
  reader,
  type ServerOptions,
  serverOptions,
  toExample,
} from '../options.js';
import { count, formatProblemJson } from '../problems.js';
import { toPendingEditLine } from '../status-text.js';
import { toUnboundLines } from '../unbound-text.js';

interface WaitOptions extends ServerOptions {
  /** Milliseconds. */
  readonly timeout: number;
  readonly proxies?: number;
  readonly service?: readonly ServiceCount[];
  readonly json?: boolean;
}

interface ServiceCount {
  readonly service: string;
  readonly count: number;
}

type InForce = Extract<WaitAnswer, { inForce: true }>;
type Refusal = Omit<Extract<WaitAnswer, { inForce: false }>, 'troubles'> & {
  readonly troubles?: readonly string[];
};

/** One question waits no longer than this, so that a server that has vanished is noticed. */
const SLICE_MS = 20_000;
const COUNT = /^\d{1,6}$/;

export function define(command: Command, context: Context): void {
  command
    .addOption(
      durationOption({
        flags: '--timeout <duration>',
        name: '--timeout',
        description: 'give up after this long',
        fallback: '60s',
        range: ['0s', '7d'],
      }),
    )
    .addOption(
      new Option('--proxies <n>', 'until at least so many are connected and have it').argParser(
        reader({
          name: '--proxies',
          expected: 'a number',
          read: (text) => (COUNT.test(text) ? Number(text) : undefined),
        }),
      ),
    )
    .addOption(serviceOption())
    .addOption(jsonOption());
  for (const option of serverOptions()) command.addOption(option);
  command
    .addHelpText(
      'after',
      toExample(
        'countersign wait --timeout 30s && echo in force',
        'countersign wait --proxies 6 --service web=2',
      ),
    )
    .action(async (options: WaitOptions) => {
      const answer = await askUntil(options, context);
      if (!answer.inForce) context.exitCode = 1;
      if (options.json === true) {
        writeLine(context.stdout, JSON.stringify(answer, undefined, 2));
      } else if (answer.inForce) confirm(answer, context);
      else explain(answer, options, context);
    });
}

/** May be given several times. */
function serviceOption(): Option {
  const read = reader({
    name: '--service',
    expected: 'a service and a number of its sidecars',
    hint: 'such as web=2, or payments/ledger=3',
    read: (text): ServiceCount | undefined => {
      const [service = '', number = '', ...more] = text.split('=');
      const isRight = service !== '' && COUNT.test(number) && more.length === 0;
      return isRight ? { service, count: Number(number) } : undefined;
    },
  });
  const description = 'until at least so many of a service have it; may be given several times';
  return new Option('--service <name=n>', description).argParser(
    (text: string, before: readonly ServiceCount[] = []) => [...before, read(text)],
  );
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
