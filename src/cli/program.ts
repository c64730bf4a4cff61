// The command line as a whole: finds the command, loads only that one, runs it, and turns the
// result into an exit code. A command loads only what its own file imports: `check` never loads
// gRPC, and `serve` never loads the ProtoJSON descriptor.
import { Command } from 'commander';
import { closest } from '../base/index.js';
import { type Context, type ExitCode, guardOutput, type Io } from '../terminal/index.js';
import { COMMANDS, type CommandEntry } from './commands/index.js';
import { reportError } from './exit.js';
import { toExample, usage } from './options.js';
import { VERSION } from './version.js';

const HELP_WIDTH = 100;

/** Runs one command line (without node and script). Never throws; problems are on `io.stderr`. */
export async function run(argv: readonly string[], io: Io): Promise<ExitCode> {
  const [stdout, stderr] = [guardOutput(io.stdout), guardOutput(io.stderr)];
  const context: Context = { ...io, stdout, stderr, screen: io.stdout, exitCode: 0 };
  try {
    const words = toHelpOption(argv);
    const program = await createProgram(words, context);
    if (words.some(isHelp)) refuseUnknown(program, words);
    await program.parseAsync(words, { from: 'user' });
    return context.exitCode;
  } catch (error) {
    return reportError(error, context);
  }
}

async function createProgram(argv: readonly string[], context: Context): Promise<Command> {
  const program = new Command('countersign')
    .description('mutual TLS for stock Envoy sidecars, from one mesh.yaml')
    .version(VERSION)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      writeErr: (text) => context.stderr.write(text),
      getOutHelpWidth: () => HELP_WIDTH,
      getErrHelpWidth: () => HELP_WIDTH,
    })
    .showHelpAfterError('  hint: see `countersign --help`')
    .addHelpText('after', toExample('countersign init && countersign serve --mesh mesh.yaml'));
  for (const entry of COMMANDS) await addCommand(program, entry, argv, context);
  return program;
}

async function addCommand(
  program: Command,
  { name, summary, load }: CommandEntry,
  argv: readonly string[],
  context: Context,
): Promise<void> {
  const command = program
    .command(name)
    .description(summary)
    .showHelpAfterError(`  hint: see \`countersign ${name} --help\``);
  // All others are only names, for the list and the hints.
  if (argv[0] === name) (await load()).define(command, context);
}

/** `help ca rotate` is `ca rotate --help`: commander's own looks at one word only. */
function toHelpOption(argv: readonly string[]): readonly string[] {
  const [first, ...words] = argv;
  return first === 'help' && words.length > 0 ? [...words, '--help'] : argv;
}

function isHelp(word: string): boolean {
  return word === '--help' || word === '-h';
}

/** Commander shows what it knows where help is asked for that it has none of. @throws usage */
function refuseUnknown(program: Command, words: readonly string[]): void {
  let command = program;
  for (const word of words) {
    if (word.startsWith('-') || command.commands.length === 0) return;
    const names = command.commands.map((one) => one.name());
    const next = command.commands.find((one) => one.name() === word);
    if (next === undefined) {
      const near = closest(word, names);
      const meant = near === undefined ? '' : ` (did you mean "${near}"?)`;
      const path = command === program ? '' : ` ${command.name()}`;
      throw usage(`unknown command "${word}"${meant}`, `see \`countersign${path} --help\``);
    }
    command = next;
  }
}
