// `revoke` works on the data folder, whether a server runs or not; then it asks the server how far
// it has got.

import { type Command, Option } from 'commander';
import { MeshError, toRfc3339 } from '../../base/index.js';
import { type DataDir, openDataDir } from '../../data/index.js';
import type { ServiceName } from '../../policy/index.js';
import {
  addRevocation,
  type Revocation,
  type RevocationSubject,
  readRevocations,
  removeRevocation,
  TAKE_REVOCATIONS,
  toRevocationKey,
  toSubjectText,
  tryParseSerialHex,
} from '../../revocation/index.js';
import { toNodeId } from '../../spiffe/index.js';
import { type Context, toTable, writeLine } from '../../terminal/index.js';
import { formatError, reportError } from '../exit.js';
import { checkSubject } from '../known-subjects.js';
import {
  dataOption,
  formatHostPort,
  instanceOption,
  jsonOption,
  reader,
  requireOne,
  type ServerOptions,
  serverOptions,
  toExample,
  usage,
} from '../options.js';
import {
  type Confirmation,
  confirmFact,
  isUnconfirmed,
  reportUnconfirmed,
  UNCONFIRMED,
} from '../order-answer.js';
import { count } from '../problems.js';
import { askProgress, type Progress } from '../revocation-progress.js';
import { serviceArgument } from '../service-argument.js';

interface RevokeOptions extends ServerOptions {
  readonly instance?: string;
  readonly serial?: string;
  readonly token?: string;
  readonly list?: boolean;
  readonly undo?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
  readonly data: string;
}

const EXAMPLE = 'countersign revoke payments/ledger';
const TOKEN_ID = /^[\x21-\x7e]{1,256}$/;

const serialOption = (): Option =>
  new Option('--serial <hex>', 'one certificate, by its serial').argParser(
    reader({
      name: '--serial',
      expected: 'a serial in hex',
      hint: 'as `countersign cert --list`, `status --json` or `openssl x509 -serial` show it',
      read: tryParseSerialHex,
    }),
  );

const tokenOption = (): Option =>
  new Option('--token <id>', 'one token, by its id').argParser(
    reader({
      name: '--token',
      expected: "a token's id",
      hint: 'the id that `countersign token` printed beside the token, not the token itself',
      // Text in three parts would be the token itself, which must not be in any list.
      read: (text) => (TOKEN_ID.test(text) && text.split('.').length !== 3 ? text : undefined),
    }),
  );

export function define(command: Command, context: Context): void {
  command
    .addArgument(serviceArgument('[service]'))
    .addOption(instanceOption('only this instance of the service'))
    .addOption(serialOption())
    .addOption(tokenOption())
    .option('--list', 'show what is revoked')
    .option('--undo', 'take a revocation back')
    .option('--yes', 'also what nobody here knows')
    .addOption(jsonOption())
    .addOption(dataOption());
  for (const option of serverOptions()) command.addOption(option);
  command
    .addHelpText(
      'after',
      toExample('countersign revoke payments/ledger --instance one', 'countersign revoke --list'),
    )
    .action(async (service: ServiceName | undefined, options: RevokeOptions) => {
      const { list, undo, data } = options;
      const { random } = context;
      const subject = toSubject(service, options);
      if (list === true && undo === true) throw usage('expected --undo without --list', EXAMPLE);
      const dataDir = await openDataDir({ path: data, lock: false, create: false, random });
      if (subject === undefined) await printList(dataDir, options, context);
      else if (undo === true) await takeBack(dataDir, { subject, options }, context);
      else await revoke(dataDir, { subject, options }, context);
    });
}

/** Undefined: with `--list`. */
function toSubject(
  service: ServiceName | undefined,
  { instance, serial, token, list }: RevokeOptions,
): RevocationSubject | undefined {
  if (instance !== undefined && service === undefined) {
    throw usage('expected --instance with a service', 'countersign revoke web --instance one');
  }
  requireOne(
    { 'a service': service, '--serial': serial, '--token': token, '--list': list },
    EXAMPLE,
  );
  if (serial !== undefined) return { kind: 'serial', subject: serial };
  if (token !== undefined) return { kind: 'token', subject: token };
  if (service === undefined) return undefined;
  if (instance === undefined) return { kind: 'service', subject: service };
  return { kind: 'instance', subject: toNodeId({ service, instance }) };
}

interface Order {
  readonly subject: RevocationSubject;
  readonly options: RevokeOptions;
}

async function revoke(dataDir: DataDir, { subject, options }: Order, context: Context) {
  const { stdout, stderr, clock } = context;
  const nowMs = clock.now();
  const isKnown = (await listRevocations(dataDir, context)).has(toRevocationKey(subject));
  if (!isKnown) {
    const notes = await checkSubject(dataDir, { ...subject, nowMs, even: options.yes === true });
    for (const note of notes) writeLine(stderr, `warning: ${note}`);
    await addRevocation(dataDir, { ...subject, revokedAtMs: nowMs });
  }
  const revocation = (await readRevocations(dataDir)).list.get(toRevocationKey(subject));
  const heard = await hear(dataDir, { subject, options }, context);
  if (options.json === true) {
    const shown = revocation === undefined ? null : toJson(revocation);
    writeLine(stdout, JSON.stringify({ revocation: shown, server: toShown(heard) }, undefined, 2));
  } else {
    writeLine(stdout, `${isKnown ? 'already revoked' : 'revoked'}: ${toSubjectText(subject)}`);
    printHeard(heard, options, context);
    if (heard.progress !== undefined) printProgress(heard.progress, subject, context);
  }
  reportHeard(heard, context);
  // What was stored must be in force somewhere: if this server doesn't know it, it is another one.
  if (heard.progress?.known === false) {
    refuseOther("to know of it but it doesn't", options, context);
  }
}

/** What the servers say about a fact that is stored. */
interface Heard {
  readonly confirmation: Confirmation<unknown>;
  /** Undefined if nobody answers at the admin port, or it was not asked. */
  readonly progress: Progress | undefined;
  /** Why the admin port doesn't say how far the server has got. */
  readonly error: MeshError | undefined;
}

async function hear(dataDir: DataDir, order: Order, context: Context): Promise<Heard> {
  const confirmation = await confirmFact(TAKE_REVOCATIONS, dataDir, context);
  const heard = { confirmation, progress: undefined, error: undefined };
  if (isUnconfirmed(confirmation)) return heard;
  try {
    return { ...heard, progress: await askProgress(order.options, order.subject) };
  } catch (error) {
    if (error instanceof MeshError) return { ...heard, error };
    throw error;
  }
}

function toShown({ progress }: Heard): Progress | null {
  return progress === undefined ? null : progress;
}

/** How the fact stands, if the admin port doesn't say it. */
function printHeard(
  { confirmation, progress, error }: Heard,
  options: RevokeOptions,
  context: Context,
): void {
  const { stdout } = context;
  if (isUnconfirmed(confirmation)) writeLine(stdout, UNCONFIRMED[confirmation.state]);
  else if (error !== undefined && confirmation.state === 'taken') {
    writeLine(stdout, 'the server has it in force');
  } else if (progress === undefined) printSilence(confirmation.state === 'taken', options, context);
}

function reportHeard({ confirmation, error }: Heard, context: Context): void {
  if (isUnconfirmed(confirmation)) {
    const next = 'it tries again by itself: see `countersign revoke --list`, `countersign status`';
    reportUnconfirmed(confirmation, next, context);
  } else if (error !== undefined) context.exitCode = reportError(error, context);
}

/** Nobody answers at the admin port, so all we know is whether the folder's server has it. */
function printSilence(isTaken: boolean, { server }: RevokeOptions, { stdout }: Context): void {
  writeLine(
    stdout,
    isTaken
      ? 'the server has it in force; ' +
          `nobody answers at ${formatHostPort(server)} to say on which proxies`
      : 'stored; no server runs on this data folder: it takes effect when one starts',
  );
}

function printProgress(
  { known, inForce, of }: Progress,
  subject: RevocationSubject,
  { stdout }: Context,
): void {
  if (!known) return;
  writeLine(stdout, `in force on ${inForce} of ${count(of, 'proxy')}`);
  if (inForce < of) writeLine(stdout, 'the others follow: see `countersign wait`');
  if (subject.kind === 'token') return;
  writeLine(
    stdout,
    "open connections end within their Envoy's drain time (600 s, or its --drain-time-s)",
  );
}

/** The server that was asked disagrees with the data folder. */
function refuseOther(expected: string, { server }: RevokeOptions, context: Context): void {
  const { stderr } = context;
  writeLine(stderr, `error: expected the server at ${formatHostPort(server)} ${expected}`);
  writeLine(stderr, '  hint: name the server of this data folder with --server; see its log');
  context.exitCode = 1;
}

async function takeBack(dataDir: DataDir, { subject, options }: Order, context: Context) {
  const { stdout, stderr } = context;
  const removed = await removeRevocation(dataDir, subject);
  if (removed === undefined) {
    const text = toSubjectText(subject);
    writeLine(stderr, `error: expected a revocation of ${text} but there is none`);
    writeLine(stderr, '  hint: see `countersign revoke --list`');
    context.exitCode = 1;
    return;
  }
  const heard = await hear(dataDir, { subject, options }, context);
  const { progress } = heard;
  if (options.json === true) {
    const shown = { undone: toJson(removed), server: toShown(heard) };
    writeLine(stdout, JSON.stringify(shown, undefined, 2));
  } else {
    writeLine(stdout, `no longer revoked: ${toSubjectText(subject)}`);
    printHeard(heard, options, context);
    if (progress !== undefined && !progress.known) {
      const { inForce, of } = progress;
      writeLine(stdout, `in force on ${inForce} of ${count(of, 'proxy')}`);
    }
  }
  reportHeard(heard, context);
  if (progress?.known === true) {
    refuseOther('to have taken it back too but it still refuses them', options, context);
  }
}

/** What a damaged file revokes is not known here; the server may know. */
async function listRevocations(dataDir: DataDir, { stderr }: Context) {
  const { list, damaged } = await readRevocations(dataDir);
  for (const error of damaged.values()) writeLine(stderr, `warning: ${error.message}`);
  return list;
}

async function printList(
  dataDir: DataDir,
  { json }: RevokeOptions,
  context: Context,
): Promise<void> {
  const { stdout, stderr } = context;
  const { list, damaged } = await readRevocations(dataDir);
  // It may revoke something that is not in the list.
  for (const error of damaged.values()) {
    writeLine(stderr, formatError(error));
    context.exitCode = 1;
  }
  const listed = [...list.values()].map(toJson);
  if (json === true) {
    writeLine(stdout, JSON.stringify({ revocations: listed }, undefined, 2));
    return;
  }
  if (listed.length === 0) {
    writeLine(stdout, 'nothing is revoked');
    return;
  }
  const rows = listed.map(({ kind, subject, revokedAt }) => [kind, subject, revokedAt]);
  for (const line of toTable([['KIND', 'SUBJECT', 'SINCE'], ...rows])) writeLine(stdout, line);
}

function toJson({ kind, subject, revokedAtMs }: Revocation) {
  return { kind, subject, revokedAt: toRfc3339(revokedAtMs) };
}
