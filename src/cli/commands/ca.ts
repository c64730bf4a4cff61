import { X509Certificate } from 'node:crypto';
import type { Command } from 'commander';
import { toRfc3339 } from '../../base/index.js';
import { noteBundle } from '../../ca/change/index.js';
import type { RootChange } from '../../ca/index.js';
import {
  readStepCaRecord,
  type ShownAuthority,
  type StepCaRecord,
  showStoredAuthority,
} from '../../ca/step-ca/index.js';
import { loadOrCreateAnchorPem } from '../../ca/xds/index.js';
import { type DataDir, openDataDir } from '../../data/index.js';
import { lastHandedOutEndMs } from '../../leaves/index.js';
import { type Context, writeLine } from '../../terminal/index.js';
import { askProgress, findDependents } from '../old-root.js';
import { dataOption, jsonOption, toExample } from '../options.js';
import { caPassphraseOption } from '../passphrase.js';
import { toGoalText, toStageText } from '../root-wait.js';
import { defineImport } from './ca-import.js';
import { defineRotate } from './ca-rotate.js';
import { defineSteps } from './ca-steps.js';

interface ShowOptions {
  readonly data: string;
  readonly json?: boolean;
}

interface BundleOptions extends ShowOptions {
  readonly xds?: boolean;
}

/** One certificate as `--json` shows it. Times are RFC 3339. */
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
  root: 'root, which everybody in the mesh trusts',
  intermediate: 'issuing CA, which signs the leaves',
  'xds-anchor': 'anchor of the xDS port, which bootstraps pin',
};

export function define(command: Command, context: Context): void {
  command.addHelpText('after', toExample('countersign ca show', 'countersign ca bundle > ca.pem'));
  command
    .command('show')
    .description('show the CA certificates: subject, serial, validity, key, fingerprint')
    .addOption(jsonOption())
    // Of earlier versions: what is public needs no passphrase.
    .addOption(caPassphraseOption().hideHelp())
    .addOption(dataOption())
    .addHelpText('after', toExample('countersign ca show'))
    .action((options: ShowOptions) => show(options, context));
  command
    .command('bundle')
    .description('print the trust anchors as PEM')
    .option('--xds', 'print the anchor of the xDS port instead, for clients of that port')
    // Of earlier versions: what is public needs no passphrase.
    .addOption(caPassphraseOption().hideHelp())
    .addOption(dataOption())
    .addHelpText('after', toExample('countersign ca bundle > ca.pem'))
    .action(async (options: BundleOptions) => {
      const { stdout, clock, random } = context;
      if (options.xds === true) {
        const dataDir = await openDataDir({
          path: options.data,
          lock: false,
          create: false,
          random,
        });
        stdout.write(await loadOrCreateAnchorPem({ dataDir, clock, random }));
        return;
      }
      const { authority, dataDir } = await open(options, context);
      // Somebody may keep it for long, so this root is only dropped when the operator says so.
      const { trustAnchorsPem: anchorsPem } = authority;
      await noteBundle(dataDir, { anchorsPem, atMs: clock.now() });
      stdout.write(anchorsPem);
    });
  defineImport(command.command('import'), context);
  defineRotate(command.command('rotate'), context);
  defineSteps(command, context);
}

async function open({ data }: ShowOptions, { clock, random }: Context) {
  const dataDir = await openDataDir({ path: data, lock: false, create: false, random });
  return { dataDir, authority: await showStoredAuthority({ dataDir, clock, random }) };
}

async function show(options: ShowOptions, context: Context): Promise<void> {
  const { stdout, clock, random } = context;
  const { dataDir, authority } = await open(options, context);
  const anchorPem = await loadOrCreateAnchorPem({ dataDir, clock, random });
  const shown: readonly Shown[] = [
    ...authority.describe().map(({ serialHex, notBeforeMs, notAfterMs, ...rest }) => ({
      ...rest,
      serial: serialHex,
      notBefore: toRfc3339(notBeforeMs),
      notAfter: toRfc3339(notAfterMs),
    })),
    toShownAnchor(anchorPem),
  ];
  const { trustDomain } = authority;
  const change = await toShownChange(authority, dataDir, context);
  const outside = toShownOutside(await readStepCaRecord(dataDir));
  if (options.json === true) {
    const json = { trustDomain, ...outside, authorities: shown, rootChange: change };
    writeLine(stdout, JSON.stringify(json, undefined, 2));
    return;
  }
  writeLine(stdout, `trust domain ${trustDomain}`);
  if (outside !== undefined) {
    const { url, provisioner } = outside.stepCa;
    writeLine(stdout, `signed by the step-ca at ${url}, provisioner ${provisioner}`);
  }
  for (const one of shown) {
    writeLine(stdout, '');
    writeLine(stdout, TITLES[one.kind]);
    writeLine(stdout, `  subject      ${one.subject === '' ? '(empty)' : one.subject}`);
    writeLine(stdout, `  serial       ${one.serial}`);
    writeLine(stdout, `  valid        ${one.notBefore} to ${one.notAfter}`);
    writeLine(stdout, `  key          ${one.keyType}`);
    writeLine(stdout, `  fingerprint  sha256 ${one.fingerprintSha256}`);
  }
  for (const line of change === null ? [] : toChangeLines(change)) writeLine(stdout, line);
}

interface ShownChange {
  /** `trust`: both roots are trusted; `sign`: the new one also signs; `back`: the old one again. */
  readonly stage: 'trust' | 'sign' | 'back';
  readonly since: string;
  /** How far it goes by itself: the new root is trusted, signs, or the old one goes. */
  readonly until: RootChange['until'];
  /** The old root is bad. */
  readonly isTainted: boolean;
  readonly oldRootSha256: string;
  readonly newRootSha256: string;
  /** When the last certificate that was handed out under the root that goes ends. */
  readonly handedOutUntil: string | null;
  /** Whom the end of the root that goes cuts off, in words. */
  readonly dependents: readonly string[];
  /** Whom the server waits for, in words; null: no server says so. */
  readonly waitingFor: readonly string[] | null;
  /** The proxies among them. */
  readonly nodes: readonly { readonly node: string; readonly since: string }[] | null;
}

async function toShownChange(
  { own }: ShownAuthority,
  dataDir: DataDir,
  context: Context,
): Promise<ShownChange | null> {
  const change = own?.change;
  if (own === undefined || change === undefined) return null;
  const { stage, sinceMs: beforeMs, oldRootSha256, newRootSha256, until, isTainted } = change;
  const exceptBy = stage === 'sign' ? own.currentIssuers : [];
  const endMs = await lastHandedOutEndMs(dataDir, { beforeMs, exceptBy });
  const handedOutUntil = endMs === undefined ? null : toRfc3339(endMs);
  const dependents = (await findDependents(own, dataDir, context)).map(({ text }) => text);
  const progress = await askProgress(own, dataDir, context);
  const waits = progress && (progress.nodes ?? []);
  return {
    stage: change.isBack ? 'back' : stage,
    since: toRfc3339(beforeMs),
    ...{ until, isTainted, oldRootSha256, newRootSha256, handedOutUntil, dependents },
    waitingFor: progress?.waitingFor ?? null,
    nodes: waits?.map(({ node, sinceMs }) => ({ node, since: toRfc3339(sinceMs) })) ?? null,
  };
}

function toChangeLines(change: ShownChange): readonly string[] {
  const { stage, since, until, isTainted, handedOutUntil } = change;
  const isBack = stage === 'back';
  const text = toStageText({ stage: isBack ? 'sign' : stage, isBack, isTainted }) ?? '';
  const goal = isBack ? undefined : toGoalText(until);
  return [
    '',
    'the root is being changed; `countersign status` shows what it waits for',
    `  stage        ${text}, since ${since}`,
    ...(goal === undefined ? [] : [`  goal         ${goal}`]),
    `  old root     sha256 ${change.oldRootSha256}`,
    `  new root     sha256 ${change.newRootSha256}`,
    ...(handedOutUntil === null ? [] : [`  handed out   until ${handedOutUntil}`]),
    ...toWaitLines(change),
    ...change.dependents.map((one) => `  depends      ${one}`),
  ];
}

function toWaitLines({ nodes, waitingFor }: ShownChange): readonly string[] {
  if (nodes !== null && nodes.length > 0) {
    return nodes.map(({ node, since }) => `  waits for    ${node}, since ${since}`);
  }
  return (waitingFor ?? []).map((who) => `  waits for    ${who}`);
}

/** The CA that signs, if it is not the server's own. */
function toShownOutside(record: StepCaRecord | undefined) {
  if (record === undefined) return undefined;
  const { url, provisioner } = record;
  return { stepCa: { url, provisioner } };
}

function toShownAnchor(pem: string): Shown {
  const certificate = new X509Certificate(pem);
  const { publicKey, subject, serialNumber, validFrom, validTo, fingerprint256 } = certificate;
  const details = publicKey.asymmetricKeyDetails;
  return {
    kind: 'xds-anchor',
    subject: subject?.replaceAll('\n', ', ') ?? '',
    serial: serialNumber.toLowerCase(),
    notBefore: toRfc3339(Date.parse(validFrom)),
    notAfter: toRfc3339(Date.parse(validTo)),
    keyType: `${publicKey.asymmetricKeyType} ${details?.namedCurve ?? details?.modulusLength}`,
    fingerprintSha256: fingerprint256.replaceAll(':', '').toLowerCase(),
  };
}
