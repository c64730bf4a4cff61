import { join } from 'node:path';
import { type Command, Option } from 'commander';
import {
  type DataDir,
  forgetEnded,
  type Leaf,
  listHandedOut,
  loadAuthority,
  openDataDir,
  parseSpiffeId,
  recordHandedOut,
} from '../../identity/index.js';
import type { ServiceName } from '../../policy/index.js';
import { reportError } from '../exit.js';
import { type Context, writeLine } from '../io.js';
import {
  dataOption,
  durationOption,
  jsonOption,
  textReader,
  toExample,
  usage,
} from '../options.js';
import { PRIVATE_MODE, PUBLIC_MODE, writeOutput } from '../output-file.js';
import { caPassphraseOption, tryCaPassphrase } from '../passphrase.js';
import { startRepetition } from '../repetition.js';
import { serviceArgument } from '../service-argument.js';
import { findService, loadStoredMesh } from '../stored-mesh.js';
import { toTable } from '../table.js';

interface CertOptions {
  readonly out?: string;
  /** Milliseconds. */
  readonly ttl: number;
  readonly watch?: boolean;
  readonly list?: boolean;
  readonly json?: boolean;
  readonly caPassphraseFile?: string;
  readonly data: string;
}

interface Order {
  readonly service: ServiceName;
  readonly out: string;
  readonly ttlMs: number;
  readonly json: boolean;
  readonly passphrase: string | undefined;
}

/** Share of the lifetime after which `--watch` renews. */
const RENEW_AT = 0.5;
/** The clock is looked at this often, so that a machine's sleep or a set clock is noticed. */
const LOOK_EVERY_MS = 30_000;
const RETRY_MS = 5_000;

export function define(command: Command, context: Context): void {
  command
    .addArgument(serviceArgument('[service]'))
    .addOption(
      new Option('--out <dir>', 'for key.pem, cert.pem (leaf first) and bundle.pem').argParser(
        textReader('--out'),
      ),
    )
    .addOption(
      durationOption({
        flags: '--ttl <duration>',
        name: '--ttl',
        description: 'lifetime; never beyond the issuer',
        fallback: '24h',
        range: ['10s', '90d'],
      }),
    )
    .option('--watch', 'renew at half of its life, until stopped')
    .option('--list', 'show what was handed out')
    .addOption(jsonOption())
    .addOption(caPassphraseOption())
    .addOption(dataOption())
    .addHelpText(
      'after',
      toExample('countersign cert web --out ./tls --watch', 'countersign cert --list'),
    )
    .action(async (service: ServiceName | undefined, options: CertOptions) => {
      const { random } = context;
      const { out, ttl, data, list } = options;
      const isOrder = service !== undefined && out !== undefined;
      if (list === true ? service !== undefined || out !== undefined : !isOrder) {
        throw usage('expected a service and --out, or --list', 'countersign cert web --out ./tls');
      }
      const dataDir = await openDataDir({ path: data, lock: false, create: false, random });
      if (!isOrder) {
        await printList(dataDir, options, context);
        return;
      }
      const passphrase = tryCaPassphrase(options.caPassphraseFile);
      const order = { service, out, ttlMs: ttl, json: options.json === true, passphrase };
      if (options.watch === true) await watch(dataDir, order, context);
      else await issue(dataDir, order, context);
    });
}

/** Issues, records, then writes: a certificate that someone may hold is always known. */
async function issue(dataDir: DataDir, order: Order, context: Context): Promise<Leaf> {
  const { clock, random } = context;
  const mesh = await loadStoredMesh(dataDir);
  const { name, spiffeId, dnsNames, certificates } = findService(mesh, order.service);
  const authority = await loadAuthority(
    { dataDir, clock, random, passphrase: order.passphrase },
    { trustDomain: mesh.trustDomain },
  );
  const leaf = await authority.issueLeaf({
    spiffeId: parseSpiffeId(spiffeId),
    dnsNames,
    ttlMs: order.ttlMs,
    key: certificates.key,
  });
  await recordHandedOut(dataDir, { certificate: leaf, service: name });
  await forgetEnded(dataDir, clock.now());
  const write = (file: string, content: string, mode: number): Promise<void> =>
    writeOutput({ path: join(order.out, file), content, mode, random });
  // The certificate last: who watches it finds its key and anchors already there.
  await write('bundle.pem', authority.trustAnchorsPem, PUBLIC_MODE);
  await write('key.pem', leaf.keyPem, PRIVATE_MODE);
  await write('cert.pem', leaf.chainPem, PUBLIC_MODE);
  printIssued(leaf, order, context);
  return leaf;
}

function printIssued(leaf: Leaf, { service, out, json }: Order, { stdout }: Context): void {
  const { serialHex: serial, spiffeId } = leaf;
  const notAfter = new Date(leaf.notAfterMs).toISOString();
  if (json) {
    const certificate = { serial, service, spiffeId, notAfter, out };
    writeLine(stdout, JSON.stringify({ certificate }, undefined, 2));
    return;
  }
  writeLine(stdout, `wrote key.pem, cert.pem and bundle.pem to ${out}`);
  writeLine(stdout, `${spiffeId} serial ${serial}, ends ${notAfter}`);
}

/** The first certificate must succeed; later failures are told and tried again. */
async function watch(dataDir: DataDir, order: Order, context: Context): Promise<void> {
  const { clock } = context;
  const repetition = startRepetition(context);
  try {
    let renewAtMs = toRenewAtMs(await issue(dataDir, order, context));
    while (await repetition.pause(Math.min(LOOK_EVERY_MS, Math.max(0, renewAtMs - clock.now())))) {
      if (clock.now() < renewAtMs) continue;
      try {
        renewAtMs = toRenewAtMs(await issue(dataDir, order, context));
      } catch (error) {
        reportError(error, context);
        renewAtMs = clock.now() + RETRY_MS;
      }
    }
  } finally {
    repetition.end();
  }
}

function toRenewAtMs({ issuedAtMs, notAfterMs }: Leaf): number {
  return issuedAtMs + (notAfterMs - issuedAtMs) * RENEW_AT;
}

async function printList(
  dataDir: DataDir,
  { json }: CertOptions,
  { stdout, clock }: Context,
): Promise<void> {
  const listed = (await listHandedOut(dataDir)).map(
    ({ serialHex, service, spiffeId, notAfterMs }) => ({
      serial: serialHex,
      service,
      spiffeId,
      notAfter: new Date(notAfterMs).toISOString(),
      ended: notAfterMs <= clock.now(),
    }),
  );
  if (json === true) {
    writeLine(stdout, JSON.stringify({ certificates: listed }, undefined, 2));
    return;
  }
  if (listed.length === 0) {
    writeLine(stdout, 'no certificate was handed out');
    return;
  }
  const rows = listed.map(({ serial, service, spiffeId, notAfter, ended }) => [
    serial,
    service,
    spiffeId,
    ended ? `${notAfter} (ended)` : notAfter,
  ]);
  for (const line of toTable([['SERIAL', 'SERVICE', 'SPIFFE ID', 'ENDS'], ...rows])) {
    writeLine(stdout, line);
  }
}
