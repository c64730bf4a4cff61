// The command line as a whole: finds the command, loads only that one, runs it, and turns the
// result into an exit code. A command loads only what its own file imports: `check` never loads
// gRPC, and `serve` never loads the ProtoJSON descriptor.
import { Command } from 'commander';
import { type Context, type ExitCode, guardOutput, type Io } from '../terminal/index.js';
import { COMMANDS, type CommandEntry } from './commands/index.js';
import { reportError } from './exit.js';
import { toExample } from './options.js';
import { VERSION } from './version.js';

const HELP_WIDTH = 100;

/** Runs one command line (without node and script). Never throws; problems are on `io.stderr`. */
export async function run(argv: readonly string[], io: Io): Promise<ExitCode> {
  const [stdout, stderr] = [guardOutput(io.stdout), guardOutput(io.stderr)];
  const context: Context = { ...io, stdout, stderr, screen: io.stdout, exitCode: 0 };
  try {
    const program = await createProgram(argv, context);
    await program.parseAsync(argv, { from: 'user' });
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
  // The command itself, or the one that `help` asks for. All others are only names, for the list
  // and the hints.
  const isMeant = argv[0] === name || (argv[0] === 'help' && argv[1] === name);
  if (isMeant) (await load()).define(command, context);
}
