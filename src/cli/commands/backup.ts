import { relative, resolve } from 'node:path';
import { Argument, type Command } from 'commander';
import { createBackup } from '../../backup/index.js';
import { toRfc3339 } from '../../base/index.js';
import { openDataDir } from '../../data/index.js';
import { findLost } from '../../data/manifest/index.js';
import { type Context, writeLine } from '../../terminal/index.js';
import { summarizeFolder, toSummaryLines } from '../folder-summary.js';
import { dataOption, jsonOption, textReader, toExample, usage } from '../options.js';
import { createOutput, PRIVATE_MODE, writeOutput } from '../output-file.js';
import { passphraseOption, requirePassphrase } from '../passphrase.js';
import { count } from '../problems.js';

interface BackupOptions {
  readonly data: string;
  readonly passphraseFile?: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

export function define(command: Command, context: Context): void {
  command
    .addArgument(new Argument('<file>', 'the backup to write').argParser(textReader('<file>')))
    .addOption(passphraseOption())
    .option('--force', 'replace a file that is there')
    .addOption(jsonOption())
    .addOption(dataOption())
    .addHelpText(
      'after',
      toExample('countersign backup countersign.backup --passphrase-file passphrase'),
    )
    .action((file: string, options: BackupOptions) => backup(file, options, context));
}

async function backup(file: string, options: BackupOptions, context: Context): Promise<void> {
  const { stdout, stderr, random, clock } = context;
  const { data, force, json } = options;
  if (isWithin(file, data)) {
    throw usage(`expected a file outside the data folder but got ${file}`, 'name a file elsewhere');
  }
  const passphrase = requirePassphrase(options.passphraseFile);
  const dataDir = await openDataDir({ path: data, lock: false, create: false, random });
  const { path } = dataDir;
  // A hollow backup may take the place of a whole one.
  for (const name of await findLost(dataDir)) {
    writeLine(stderr, `warning: ${name} belongs to the data folder and is gone: it is not kept`);
  }
  const summary = await summarizeFolder(path, context);
  const { bytes, createdAtMs, files, leftOut } = await createBackup({
    ...{ path, passphrase, random, clock },
  });
  for (const name of leftOut)
    writeLine(stderr, `warning: left out ${name}, which countersign did not write`);
  const output = { path: file, content: bytes, mode: PRIVATE_MODE, random };
  if (force === true) await writeOutput(output);
  else await createOutput(output, 'name another file, or replace that one with --force');
  if (json === true) {
    const createdAt = toRfc3339(createdAtMs);
    const shown = { file, createdAt, files, bytes: bytes.length, ...summary };
    writeLine(stdout, JSON.stringify({ backup: shown }, undefined, 2));
    return;
  }
  writeLine(stdout, `wrote ${file}: ${count(files, 'file')} of ${data}, encrypted`);
  for (const line of toSummaryLines(summary)) writeLine(stdout, line);
  writeLine(
    stderr,
    '  hint: keep the passphrase apart from the backup: ' +
      'whoever has both has every key of this mesh',
  );
}

function isWithin(file: string, folder: string): boolean {
  const path = relative(resolve(folder), resolve(file));
  return !path.startsWith('..');
}
