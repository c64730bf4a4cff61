import { X509Certificate } from 'node:crypto';
import type { Command } from 'commander';
import { loadAuthority, loadOrCreateAnchorPem, openDataDir } from '../../identity/index.js';
import { type Context, writeLine } from '../io.js';
import { dataOption, jsonOption, toExample } from '../options.js';

interface ShowOptions {
  readonly data: string;
  readonly json?: boolean;
}

/** One certificate, as `--json` shows it. Times are RFC 3339. */
interface Shown {
  readonly kind: 'root' | 'intermediate' | 'xds-anchor';
  readonly subject: string;
  readonly serial: string;
  readonly notBefore: string;
  readonly notAfter: string;
  readonly keyType: string;
  readonly fingerprintSha256: string;
}

const TITLES: Readonly<Record<Shown['kind'], string>> = {
  root: 'root, which every peer of the mesh trusts',
  intermediate: 'intermediate, which signs the leaves',
  'xds-anchor': 'anchor of the xDS port, which bootstraps pin',
};

export function define(command: Command, context: Context): void {
  command.addHelpText('after', toExample('countersign ca show', 'countersign ca bundle > ca.pem'));
  command
    .command('show')
    .description('the authorities: subject, serial, validity, key, fingerprint')
    .addOption(jsonOption())
    .addOption(dataOption())
    .addHelpText('after', toExample('countersign ca show'))
    .action((options: ShowOptions) => show(options, context));
  command
    .command('bundle')
    .description('the trust anchors, as PEM')
    .addOption(dataOption())
    .addHelpText('after', toExample('countersign ca bundle > ca.pem'))
    .action(async ({ data }: ShowOptions) => {
      const { authority } = await open(data, context);
      context.stdout.write(authority.trustAnchorsPem);
    });
}

async function open(data: string, { clock, random }: Context) {
  const dataDir = await openDataDir({ path: data, lock: false, create: false, random });
  return { dataDir, authority: await loadAuthority({ dataDir, clock, random }) };
}

async function show({ data, json }: ShowOptions, context: Context): Promise<void> {
  const { stdout, clock, random } = context;
  const { dataDir, authority } = await open(data, context);
  const anchorPem = await loadOrCreateAnchorPem({ dataDir, clock, random });
  const shown: readonly Shown[] = [
    ...authority.describe().map(({ serialHex, notBeforeMs, notAfterMs, ...rest }) => ({
      ...rest,
      serial: serialHex,
      notBefore: new Date(notBeforeMs).toISOString(),
      notAfter: new Date(notAfterMs).toISOString(),
    })),
    toShownAnchor(anchorPem),
  ];
  const { trustDomain } = authority;
  if (json === true) {
    writeLine(stdout, JSON.stringify({ trustDomain, authorities: shown }, undefined, 2));
    return;
  }
  writeLine(stdout, `trust domain ${trustDomain}`);
  for (const one of shown) {
    writeLine(stdout, '');
    writeLine(stdout, TITLES[one.kind]);
    writeLine(stdout, `  subject      ${one.subject === '' ? '(empty)' : one.subject}`);
    writeLine(stdout, `  serial       ${one.serial}`);
    writeLine(stdout, `  valid        ${one.notBefore} to ${one.notAfter}`);
    writeLine(stdout, `  key          ${one.keyType}`);
    writeLine(stdout, `  fingerprint  sha256 ${one.fingerprintSha256}`);
  }
}

function toShownAnchor(pem: string): Shown {
  const certificate = new X509Certificate(pem);
  const { publicKey, subject, serialNumber, validFrom, validTo, fingerprint256 } = certificate;
  const details = publicKey.asymmetricKeyDetails;
  return {
    kind: 'xds-anchor',
    subject: subject?.replaceAll('\n', ', ') ?? '',
    serial: serialNumber.toLowerCase(),
    notBefore: new Date(validFrom).toISOString(),
    notAfter: new Date(validTo).toISOString(),
    keyType: `${publicKey.asymmetricKeyType} ${details?.namedCurve ?? details?.modulusLength}`,
    fingerprintSha256: fingerprint256.replaceAll(':', '').toLowerCase(),
  };
}
