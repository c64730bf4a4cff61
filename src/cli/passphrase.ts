// Where commands get a passphrase: never from an argument, since those are in the process list.
import { Option } from 'commander';
import { readPassphrase } from '../backup/index.js';
import { textReader, usage } from './options.js';

interface Names {
  readonly option: string;
  readonly variable: string;
}

/** For what a command reads or writes outside the data folder: a backup, or a key to import. */
const OWN: Names = { option: '--passphrase-file', variable: 'COUNTERSIGN_PASSPHRASE' };
/** For the CA's keys in the data folder. */
const CA: Names = { option: '--ca-passphrase-file', variable: 'COUNTERSIGN_CA_PASSPHRASE' };

export function passphraseOption(): Option {
  return toOption(OWN, 'its first line is the passphrase');
}

/** For commands that read the CA's keys from the data folder. */
export function caPassphraseOption(): Option {
  const description = "its first line is the passphrase of the CA's keys in the data folder";
  return toOption(CA, description).env('COUNTERSIGN_CA_PASSPHRASE_FILE');
}

/** @throws MeshError usage if there is none, or it can't be read */
export function requirePassphrase(file: string | undefined): string {
  const found = tryPassphrase(file);
  if (found !== undefined) return found;
  throw usage(
    `expected a passphrase in ${OWN.option} or ${OWN.variable} but got none`,
    'make one with `openssl rand -base64 24 > passphrase`',
  );
}

/** Undefined if none is given. @throws MeshError usage if it can't be read */
export function tryPassphrase(file: string | undefined): string | undefined {
  return readPassphrase({ file, value: process.env[OWN.variable], names: OWN });
}

/** The same for the CA's keys. @throws MeshError usage */
export function tryCaPassphrase(file: string | undefined): string | undefined {
  return readPassphrase({ file, value: process.env[CA.variable], names: CA });
}

function toOption({ option, variable }: Names, description: string): Option {
  const text = `${description} (default: ${variable} in the environment)`;
  return new Option(`${option} <file>`, text).argParser(textReader(option));
}
