// The PKCS #12 file of `cert --p12`, and its password. The password comes from a file that the user
// names, or from one next to the PKCS #12 file, which is made once and then kept, so that a
// program's configuration survives renewals. It is never an argument, which every user of the
// machine could read.
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Option } from 'commander';
import { readPassphrase, requireStrong } from '../backup/index.js';
import type { Random } from '../base/index.js';
import type { ServiceName } from '../policy/index.js';
import type { Obtained } from './cert-source.js';
import { textReader, usage } from './options.js';
import { createOutput, type OutputFile, PRIVATE_MODE } from './output-file.js';

export interface P12Given {
  readonly p12?: string;
  readonly p12PasswordFile?: string;
}

/** Where a PKCS #12 file is wanted. */
export interface P12Output {
  readonly path: string;
  readonly passwordPath: string;
  toFile(obtained: Obtained): Promise<OutputFile>;
}

const GENERATED_BYTES = 24;
const OPTION = '--p12-password-file';

export function p12Options(): readonly Option[] {
  const p12 = 'also write key, chain and anchors to one PKCS #12 file, for Java, Windows, browsers';
  const password = `its first line is the password (default: <file>.password, made if missing)`;
  return [
    new Option('--p12 <file>', p12).argParser(textReader('--p12')),
    new Option(`${OPTION} <file>`, password).argParser(textReader(OPTION)),
  ];
}

/**
 * Undefined if none is asked for. The password is read now and used until the command ends. If
 * there is none, it is made together with the first file, so that a command that fails leaves
 * nothing.
 * @throws MeshError usage if it can't be used
 */
export function openP12Output(options: {
  readonly given: P12Given;
  readonly service: ServiceName;
  /** The folder of the PEM files. */
  readonly out: string;
  readonly random: Random;
}): P12Output | undefined {
  const { given, service, out, random } = options;
  const { p12: path, p12PasswordFile } = given;
  if (path === undefined) {
    if (p12PasswordFile === undefined) return undefined;
    throw usage(`expected --p12 with ${OPTION}`);
  }
  const passwordPath = p12PasswordFile ?? `${path}.password`;
  const taken = [passwordPath, ...['key.pem', 'cert.pem', 'bundle.pem'].map((f) => join(out, f))];
  if (taken.some((other) => resolve(other) === resolve(path))) {
    throw usage(`--p12: expected a file of its own but got ${path}`);
  }
  const isThere = p12PasswordFile !== undefined || existsSync(passwordPath);
  let password = isThere ? readPassword(passwordPath) : undefined;
  return {
    path,
    passwordPath,
    async toFile({ keyPem, chainPem, anchorsPem }) {
      const { toPkcs12 } = await import('../x509/pkcs12/index.js');
      password ??= await makePassword(passwordPath, random);
      const pems = { keyPem, chainPem, anchorsPem };
      const content = await toPkcs12({ ...pems, name: service, password, random });
      return { path, content, mode: PRIVATE_MODE, random };
    },
  };
}

async function makePassword(path: string, random: Random): Promise<string> {
  const password = random.bytes(GENERATED_BYTES).toString('base64url');
  const file = { path, content: `${password}\n`, mode: PRIVATE_MODE, random };
  await createOutput(file, 'another command has just made it: run this one again');
  return password;
}

function readPassword(file: string): string {
  const names = { option: OPTION, variable: '' };
  const password = readPassphrase({ file, value: undefined, names }) ?? '';
  requireStrong(password);
  if (/^[\x20-\x7e]+$/.test(password)) return password;
  throw usage(
    `${OPTION}: expected a password of printable ASCII in ${file}`,
    'Java accepts nothing else',
  );
}
