import { text } from 'node:stream/consumers';
import { type Command, Option } from 'commander';
import { MeshError } from '../../base/index.js';
import { planMesh } from '../../compose/plan/index.js';
import { readProject } from '../../compose/project/index.js';
import { trySubnets, wire } from '../../compose/write/index.js';
import { type Context, writeLine } from '../../terminal/index.js';
import {
  refuseOwnFiles,
  toComposeFiles,
  whyUnreadable,
  writeComposeFiles,
} from '../compose-files.js';
import { toReportJson, toReportLines } from '../compose-report.js';
import { formatError } from '../exit.js';
import { jsonOption, reader, textReader, toExample } from '../options.js';
import { quote } from '../shell.js';

interface ComposeOptions {
  readonly out?: string;
  readonly projectName?: string;
  readonly envFile?: readonly string[];
  readonly subnets?: string;
  readonly json?: boolean;
  readonly dryRun?: boolean;
}

export function define(command: Command, context: Context): void {
  command
    .argument(
      '[files...]',
      'compose files (default: as Compose finds them); `-`: what `docker compose config` prints',
    )
    .addOption(
      new Option('--out <dir>', 'where to write; default: beside the first file').argParser(
        textReader('--out'),
      ),
    )
    .addOption(
      new Option('--project-name <name>', 'as for `docker compose`').argParser(
        textReader('--project-name'),
      ),
    )
    .addOption(
      new Option(
        '--env-file <file>',
        'as for `docker compose`; may be given several times',
      ).argParser((file: string, before: readonly string[] = []) => [
        ...before,
        textReader('--env-file')(file),
      ]),
    )
    .addOption(
      new Option('--subnets <cidr>', 'range for the networks that are added').argParser(
        reader({
          name: '--subnets',
          expected: 'an IPv4 network of 64 addresses or more',
          hint: 'such as 10.213.0.0/16',
          read: (range) => (trySubnets(range) === undefined ? undefined : range),
        }),
      ),
    )
    .option('--dry-run', 'say what would be written, and write nothing')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      toExample(
        'countersign compose docker-compose.yml',
        'docker compose config --no-interpolate | countersign compose -',
      ),
    )
    .action(async (files: readonly string[], options: ComposeOptions) => {
      try {
        await mesh(files, options, context);
      } catch (error) {
        // Elsewhere a mesh is what a command was given; here it is what the answer depends on.
        if (!(error instanceof MeshError) || error.code !== 'mesh-invalid') throw error;
        writeLine(context.stderr, formatError(error));
        context.exitCode = 1;
      }
    });
}

async function mesh(
  given: readonly string[],
  options: ComposeOptions,
  context: Context,
): Promise<void> {
  const cwd = process.cwd();
  const { envFile, projectName, subnets, out, dryRun: isDry = false } = options;
  const { project, files, readBy } = await readProject({
    files: given,
    cwd,
    env: process.env,
    readInput: () => text(process.stdin),
    ...(envFile === undefined ? {} : { envFiles: envFile }),
    ...(projectName === undefined ? {} : { projectName }),
  });
  await refuseOwnFiles(files);
  const planned = planMesh(project);
  const plan = subnets === undefined ? planned : { ...planned, subnets };
  const wiring = plan.services.length === 0 ? undefined : wire(plan);
  const result = wiring && (await toComposeFiles(wiring, { files, cwd, out }));
  if (result !== undefined && !isDry) {
    await writeComposeFiles(result, { cwd, random: context.random });
  }
  const report = {
    plan,
    readBy,
    wiring,
    result,
    isDry,
    unreadable: result === undefined || isDry ? [] : whyUnreadable(result, cwd),
    flags: toFlags(options),
  };
  if (options.json === true) {
    writeLine(context.stdout, JSON.stringify(toReportJson(report), undefined, 2));
  } else {
    for (const line of toReportLines(report)) writeLine(context.stdout, line);
  }
  if (result === undefined) context.exitCode = 1;
}

/** What `docker compose` must be told again. */
function toFlags({ projectName, envFile = [] }: ComposeOptions): string[] {
  const name = projectName === undefined ? [] : ['-p', quote(projectName)];
  return [...name, ...envFile.flatMap((file) => ['--env-file', quote(file)])];
}
