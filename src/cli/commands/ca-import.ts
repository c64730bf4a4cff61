// `ca import`: a CA that the operator brings takes over. In a data folder without a CA it is the
// mesh's CA from the first start; in one that is in use the server changes the root in stages.

import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { MeshError, systemErrorCode, toRfc3339 } from '../../base/index.js';
import { type CaProgress, offerCaChain, TAKE_CA } from '../../ca/change/index.js';
import {
  type CaChain,
  createAuthority,
  importCaChain,
  readAuthority,
  trustDomainOfCa,
} from '../../ca/index.js';
import { assertOwnAuthority } from '../../ca/step-ca/index.js';
import { type DataDir, openDataDir } from '../../data/index.js';
import { createOrderStore } from '../../data/orders/index.js';
import { loadMesh } from '../../policy/index.js';
import { type Context, writeLine } from '../../terminal/index.js';
import { generateKeys } from '../../x509/keys/index.js';
import { openOrMakeDataDir } from '../data-folder.js';
import { dataOption, textReader, toExample, usage } from '../options.js';
import { type Accepted, hearAnswer, toWayOn } from '../order-answer.js';
import {
  caPassphraseOption,
  passphraseOption,
  tryCaPassphrase,
  tryPassphrase,
} from '../passphrase.js';

interface ImportOptions {
  readonly cert: string;
  readonly key: string;
  readonly chain?: string;
  readonly passphraseFile?: string;
  readonly caPassphraseFile?: string;
  readonly mesh?: string;
  readonly prepare?: boolean;
  readonly data: string;
}

export function defineImport(command: Command, context: Context): void {
  command
    .description('use a CA of your own: a root with its key, or an intermediate with its chain')
    .addOption(fileOption('--cert <file>', "the CA's certificate, PEM").makeOptionMandatory())
    .addOption(
      fileOption('--key <file>', 'its private key, PEM; may be encrypted').makeOptionMandatory(),
    )
    .addOption(fileOption('--chain <file>', 'the certificates above it, up to the root'))
    .addOption(passphraseOption())
    .addOption(caPassphraseOption())
    .addOption(
      fileOption('--mesh <path>', 'names the trust domain, before the first start').env(
        'COUNTERSIGN_MESH',
      ),
    )
    .option('--prepare', 'into a mesh that runs: only let every proxy trust it, and wait there')
    .addOption(dataOption())
    .addHelpText(
      'after',
      toExample(
        'countersign ca import --cert root.pem --key root.key --mesh mesh.yaml',
        'countersign ca import --cert issuing.pem --key issuing.key --chain root.pem',
      ),
    )
    .action((options: ImportOptions) => takeOver(options, context));
}

function fileOption(flags: string, description: string): Option {
  const [name = flags] = flags.split(' ');
  return new Option(flags, description).argParser(textReader(name));
}

async function takeOver(options: ImportOptions, context: Context): Promise<void> {
  const { clock, random, stdout } = context;
  const certificatePem = read('--cert', options.cert);
  const ca = {
    certificatePem,
    privateKeyPem: read('--key', options.key),
    chainPem: options.chain === undefined ? undefined : read('--chain', options.chain),
    passphrase: tryPassphrase(options.passphraseFile),
  };
  const passphrase = tryCaPassphrase(options.caPassphraseFile);
  const known = await tryTrustDomain(options.data, context);
  const trustDomain = known ?? toTrustDomain(certificatePem, options.mesh);
  const tools = { clock, random, keySource: generateKeys };
  const chain = await importCaChain(ca, { trustDomain, tools });
  // Only now, so that a refused CA leaves no folder behind.
  const dataDir = await openOrMakeDataDir(options.data, context);
  await assertOwnAuthority(dataDir);
  const isFirst = known === undefined;
  if (isFirst && options.prepare === true) {
    throw usage('expected --prepare with a mesh that has a CA, since the first one signs at once');
  }
  const made =
    isFirst && (await createAuthority({ ...context, dataDir, trustDomain, passphrase }, chain));
  const { prepare: isPrepared = false } = options;
  const how = { chain, passphrase, isPrepared, context };
  const offered = made ? undefined : await offer(dataDir, how);
  const report = { chain, trustDomain, offered, dataDir, isPrepared };
  for (const text of toReport(report)) writeLine(stdout, text);
}

interface Offered {
  /** Of the order. */
  readonly id: string;
  /** What the server says of the CA; undefined if none has answered. */
  readonly answer: Accepted<CaProgress> | undefined;
}

async function offer(
  dataDir: DataDir,
  options: {
    readonly chain: CaChain;
    readonly passphrase: string | undefined;
    readonly isPrepared: boolean;
    readonly context: Context;
  },
): Promise<Offered> {
  const { chain, passphrase, isPrepared, context } = options;
  const tools = { ...context, passphrase, ...(isPrepared ? { until: 'trust' as const } : {}) };
  const id = await offerCaChain(createOrderStore(dataDir), chain, tools);
  return { id, answer: await hearAnswer(TAKE_CA, { id, dataDir }, context) };
}

/** The trust domain of the folder's authority; undefined if there is no folder, or no authority. */
async function tryTrustDomain(path: string, { random }: Context): Promise<string | undefined> {
  try {
    const dataDir = await openDataDir({ path, lock: false, create: false, random });
    return (await readAuthority(dataDir)).trustDomain;
  } catch (error) {
    if (error instanceof MeshError && error.code === 'data-missing') return undefined;
    throw error;
  }
}

function toReport(done: {
  readonly chain: CaChain;
  readonly trustDomain: string;
  readonly offered: Offered | undefined;
  readonly dataDir: DataDir;
  readonly isPrepared: boolean;
}): readonly string[] {
  const { chain, trustDomain, offered, dataDir, isPrepared } = done;
  const subject = chain.root.facts.x509.subject.replaceAll('\n', ', ');
  const name = `"${subject}"`;
  const taken = isPrepared ? `prepared ${name}` : `taken over ${name}, in stages`;
  const wanted = isPrepared ? 'prepares it' : 'takes it over in stages';
  const ends = toRfc3339(chain.issuer.facts.notAfterMs);
  const keeps =
    chain.rootKeyPem === undefined
      ? `its issuing CA ends ${ends}: import its successor before then`
      : 'the server renews its issuing CA by itself';
  return offered === undefined
    ? [`the CA of ${trustDomain} is now "${subject}", in ${dataDir.path}`, keeps]
    : [
        offered.answer?.state === 'done'
          ? `the server of ${dataDir.path} has ${taken}`
          : `${name} waits in ${dataDir.path} for the server, which ${wanted}`,
        ...toStanding(offered),
        ...(isPrepared ? ['`countersign ca activate` lets it sign'] : []),
        keeps,
        'see how far it is: countersign ca show, countersign status',
      ];
}

function toStanding({ id, answer }: Offered): readonly string[] {
  if (answer === undefined) return [`stored; no server has answered: ${toWayOn(id)}`];
  if (answer.state === 'done') return [];
  return [`the server waits for ${answer.report.waitingFor.join(', ')}`];
}

function toTrustDomain(certificatePem: string, mesh: string | undefined): string {
  if (mesh === undefined) {
    const own = trustDomainOfCa(certificatePem);
    if (own !== undefined) return own;
    throw usage('expected --mesh, since neither the data folder nor the CA names a trust domain');
  }
  const loaded = loadMesh(mesh).mesh;
  if (loaded !== undefined) return loaded.trustDomain;
  throw new MeshError('mesh-invalid', `expected a good mesh at ${mesh} but it has errors`, {
    hint: `see them with \`countersign check ${mesh}\``,
  });
}

function read(option: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = systemErrorCode(error) ?? 'an error';
    throw usage(`${option}: expected a file to read at ${path} but got ${code}`);
  }
}
