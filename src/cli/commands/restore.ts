import { Argument, type Command } from 'commander';
import { findInterrupted, openBackup, restoreFolder } from '../../backup/index.js';
import { toRfc3339 } from '../../base/index.js';
import { type Context, writeLine } from '../../terminal/index.js';
import { summarizeFolder, toSummaryLines } from '../folder-summary.js';
import { dataOption, jsonOption, textReader, toExample } from '../options.js';
import { passphraseOption, requirePassphrase } from '../passphrase.js';
import { count } from '../problems.js';

interface RestoreOptions {
  readonly data: string;
  readonly passphraseFile?: string;
  readonly json?: boolean;
}

export function define(command: Command, context: Context): void {
  command
    .addArgument(
      new Argument('<file>', 'what `countersign backup` wrote').argParser(textReader('<file>')),
    )
    .addOption(passphraseOption())
    .addOption(jsonOption())
    .addOption(dataOption())
    .addHelpText(
      'after',
      toExample('countersign restore countersign.backup --passphrase-file passphrase'),
    )
    .action((file: string, options: RestoreOptions) => restore(file, options, context));
}

async function restore(file: string, options: RestoreOptions, context: Context): Promise<void> {
  const { stdout, stderr, random } = context;
  const { data, json } = options;
  const image = await openBackup(file, requirePassphrase(options.passphraseFile));
  for (const path of await findInterrupted(data)) {
    writeLine(stderr, `warning: an interrupted restore has left ${path}: remove it`);
  }
  await restoreFolder(image, { path: data, random });
  const summary = await summarizeFolder(data, context);
  const createdAt = toRfc3339(image.createdAtMs);
  const files = image.files.length;
  if (json === true) {
    const restored = { data, createdAt, files, ...summary };
    writeLine(stdout, JSON.stringify({ restored }, undefined, 2));
    return;
  }
  writeLine(stdout, `restored ${data}: ${count(files, 'file')}, as of ${createdAt}`);
  for (const line of toSummaryLines(summary)) writeLine(stdout, line);
  writeLine(
    stderr,
    '  hint: anything revoked after that time is no longer revoked: revoke it again\n' +
      '  hint: start `countersign serve` with this --data, at the address that sidecars connect to',
  );
}
