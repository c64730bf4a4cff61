// What `bootstrap` says beside what it makes: how Envoy is started, which files belong together,
// and how token and certificate are renewed, each as a command that a shell takes in any folder.
import { resolve } from 'node:path';
import type { ServiceName } from '../policy/index.js';
import type { BootstrapFolder } from './bootstrap-folder.js';
import { toEnvoyCommand } from './envoy-command.js';
import { formatHostPort, type HostPort } from './options.js';
import { quote } from './shell.js';

export interface RemarksRequest {
  readonly service: ServiceName;
  readonly instance?: string;
  readonly data: string;
  readonly xds: HostPort;
  readonly tokenFile?: string;
  readonly cert?: string | undefined;
  readonly folder: BootstrapFolder | undefined;
  /** What starts the folder's Envoy, or is added to another one. */
  readonly script: string | undefined;
  readonly secretsOnly?: boolean;
}

export function toRemarks(request: RemarksRequest): readonly string[] {
  const { tokenFile, cert, folder, script, secretsOnly = false } = request;
  if (folder === undefined || script === undefined) {
    return [
      secretsOnly ? toAddition('<file>') : `run: ${toEnvoyCommand('<file>')}`,
      ...(tokenFile === undefined ? [] : toTokenRemarks(resolve(tokenFile), request)),
      ...(cert === undefined ? [] : toCertificateRemarks(resolve(cert), request)),
    ];
  }
  const own = cert === undefined ? toFolderToken(folder, request) : toFolderPair(folder, request);
  return [secretsOnly ? toAddition(quote(script)) : `run: ${quote(script)}`, ...own];
}

/** `part` is a word of a shell's command line. */
function toAddition(part: string): string {
  return `run: envoy -c <yours> --config-yaml "$(cat ${part})"`;
}

function toTokenRemarks(path: string, request: RemarksRequest): readonly string[] {
  const sds = quote(`${path}.sds.json`);
  return [
    `keep ${sds} beside it: Envoy finds the token by it, at that path; to move both, use --out`,
    `renew the token: ${toRenewal(path, request)}`,
  ];
}

function toCertificateRemarks(dir: string, request: RemarksRequest): readonly string[] {
  return [`renew the certificate: ${toWatch(dir, request)}`];
}

function toFolderToken(folder: BootstrapFolder, request: RemarksRequest): readonly string[] {
  const { path } = folder.toFile('token');
  return [`renew the token: ${toRenewal(path, request)}; in a copy of the folder by mv too`];
}

function toFolderPair(
  { path }: BootstrapFolder,
  { service, xds }: RemarksRequest,
): readonly string[] {
  const ask = `--xds ${formatHostPort(xds)} --xds-ca ${quote(`${path}/xds.pem`)}`;
  const watch = `countersign cert ${service} --out ${quote(path)} --watch ${ask}`;
  return [`renew the certificate, wherever the folder is: ${watch}`];
}

/** For a token like the first one. */
function toRenewal(path: string, { service, instance, data }: RemarksRequest): string {
  const [file, renewed] = [path, `${path}.new`].map(quote);
  const bound = instance === undefined ? '' : ` --instance ${quote(instance)}`;
  const sign = `countersign token ${service}${bound} --data ${quote(resolve(data))}`;
  return `(umask 077; ${sign} > ${renewed}) && mv ${renewed} ${file}`;
}

function toWatch(dir: string, { service, data }: RemarksRequest): string {
  const watch = `countersign cert ${service} --out ${quote(dir)} --watch`;
  return `${watch} --data ${quote(resolve(data))}`;
}
