// Where commands take a passphrase from. Never from an argument: those are in the process list.
import { Option } from 'commander';
import { PASSPHRASE_VARIABLE, readPassphrase } from '../identity/index.js';
import { textReader, usage } from './options.js';

export function passphraseOption(): Option {
  return new Option(
    '--passphrase-file <file>',
    `its first line is the passphrase (default: ${PASSPHRASE_VARIABLE} in the environment)`,
  ).argParser(textReader('--passphrase-file'));
}

/** @throws MeshError usage where there is none, or none that can be read */
export function requirePassphrase(file: string | undefined): string {
  const found = readPassphrase({ file, value: process.env[PASSPHRASE_VARIABLE] });
  if (found !== undefined) return found;
  throw usage(
    `expected a passphrase in --passphrase-file or ${PASSPHRASE_VARIABLE} but got none`,
    'make one with `openssl rand -base64 24 > passphrase`',
  );
}
