// `revoke` works on the data folder, beside a running server or without one; then it asks the
// server how far it is.

import { type Command, Option } from 'commander';
import { toRfc3339 } from '../../base/index.js';
import { type DataDir, openDataDir } from '../../data/index.js';
import type { ServiceName } from '../../policy/index.js';
import {
  addRevocation,
  loadRevocations,
  type Revocation,
  type RevocationSubject,
  removeRevocation,
  TAKE_REVOCATIONS,
  toRevocationKey,
  toSubjectText,
  tryParseSerialHex,
} from '../../revocation/index.js';
import { toNodeId } from '../../spiffe/index.js';
import { type Context, toTable, writeLine } from '../../terminal/index.js';
import { checkSubject } from '../known-subjects.js';
import {
  dataOption,
  formatHostPort,
  instanceOption,
  jsonOption,
  reader,
  type ServerOptions,
  serverOptions,
  toExample,
  usage,
} from '../options.js';
import { confirmFact } from '../order-answer.js';
import { count } from '../problems.js';
import { askProgress, type Progress } from '../revocation-progress.js';
import { serviceArgument } from '../service-argument.js';

interface RevokeOptions extends ServerOptions {
  readonly instance?: string;
  readonly serial?: string;
  readonly token?: string;
  readonly list?: boolean;
  readonly undo?: boolean;
  readonly json?: boolean;
  readonly data: string;
}

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
      // Its three parts would be the token, which belongs in no list.
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
      const subject = toSubject(service, options);
      const isRight =
        list === true ? subject === undefined && undo !== true : subject !== undefined;
      if (!isRight) {
        const message = 'expected one of a service, --serial, --token and --list';
        throw usage(message, 'countersign revoke payments/ledger');
      }
      const { random } = context;
      const dataDir = await openDataDir({ path: data, lock: false, create: false, random });
      if (subject === undefined) await printList(dataDir, options, context);
      else if (undo === true) await takeBack(dataDir, { subject, options }, context);
      else await revoke(dataDir, { subject, options }, context);
    });
}

/** Undefined: none or several. */
function toSubject(
  service: ServiceName | undefined,
  { instance, serial, token }: RevokeOptions,
): RevocationSubject | undefined {
  if (instance !== undefined && service === undefined) {
    throw usage('expected --instance with a service', 'countersign revoke web --instance one');
  }
  const found: RevocationSubject[] = [];
  if (service !== undefined && instance === undefined) {
    found.push({ kind: 'service', subject: service });
  }
  if (service !== undefined && instance !== undefined) {
    found.push({ kind: 'instance', subject: toNodeId({ service, instance }) });
  }
  if (serial !== undefined) found.push({ kind: 'serial', subject: serial });
  if (token !== undefined) found.push({ kind: 'token', subject: token });
  return found.length === 1 ? found[0] : undefined;
}

interface Order {
  readonly subject: RevocationSubject;
  readonly options: RevokeOptions;
}

async function revoke(dataDir: DataDir, { subject, options }: Order, context: Context) {
  const { stdout, stderr, clock } = context;
  const nowMs = clock.now();
  const isKnown = (await loadRevocations(dataDir)).has(toRevocationKey(subject));
  if (!isKnown) {
    const notes = await checkSubject(dataDir, { ...subject, nowMs });
    for (const note of notes) writeLine(stderr, `warning: ${note}`);
    await addRevocation(dataDir, { ...subject, revokedAtMs: nowMs });
  }
  const revocation = (await loadRevocations(dataDir)).get(toRevocationKey(subject));
  const answer = await confirmFact(TAKE_REVOCATIONS, dataDir, context);
  const progress = await askProgress(options, subject);
  if (options.json === true) {
    const server = progress === undefined ? null : progress;
    const shown = revocation === undefined ? null : toJson(revocation);
    writeLine(stdout, JSON.stringify({ revocation: shown, server }, undefined, 2));
  } else {
    writeLine(stdout, `${isKnown ? 'was revoked already' : 'revoked'}: ${toSubjectText(subject)}`);
    if (progress === undefined) printSilence(answer !== undefined, options, context);
    else printProgress(progress, subject, context);
  }
  // What was stored must be in force somewhere: a server that answers and doesn't know it is wrong.
  if (progress?.known === false) refuseOther({ subject, options }, context);
}

/** Nobody answers at the admin port: all that is known is whether the folder's server has it. */
function printSilence(isTaken: boolean, { server }: RevokeOptions, { stdout }: Context): void {
  writeLine(
    stdout,
    isTaken
      ? `the server has it in force; nobody answers at ${formatHostPort(server)} on which proxies`
      : 'stored; no server has answered: in force when one runs on this data folder',
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

function refuseOther({ options }: Order, context: Context): void {
  const { stderr } = context;
  const where = formatHostPort(options.server);
  writeLine(stderr, `error: expected the server at ${where} to know of it but it doesn't`);
  writeLine(stderr, '  hint: name the server of this data folder by --server; see its log');
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
  const answer = await confirmFact(TAKE_REVOCATIONS, dataDir, context);
  const progress = await askProgress(options, subject);
  if (options.json === true) {
    const server = progress === undefined ? null : progress;
    writeLine(stdout, JSON.stringify({ undone: toJson(removed), server }, undefined, 2));
    return;
  }
  writeLine(stdout, `no longer revoked: ${toSubjectText(subject)}`);
  if (progress === undefined) printSilence(answer !== undefined, options, context);
  if (progress !== undefined && !progress.known) {
    const { inForce, of } = progress;
    writeLine(stdout, `in force on ${inForce} of ${count(of, 'proxy')}`);
  }
}

async function printList(
  dataDir: DataDir,
  { json }: RevokeOptions,
  { stdout }: Context,
): Promise<void> {
  const listed = [...(await loadRevocations(dataDir)).values()].map(toJson);
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
