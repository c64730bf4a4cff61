// `ca prepare`, `ca activate`, `ca taint` and `ca abort`: the steps of a change of root one by one,
// each at the operator's word, and the ways out of it. The server carries them out (decision 045).
import type { Command } from 'commander';
import { MeshError } from '../../base/index.js';
import { type RootChange, readAuthority } from '../../ca/index.js';
import { assertOwnAuthority } from '../../ca/step-ca/index.js';
import { openDataDir } from '../../data/index.js';
import { type Context, writeLine } from '../../terminal/index.js';
import { offerNewRoot, steer } from '../new-root.js';
import { type Dependent, findDependents } from '../old-root.js';
import { dataOption, toExample, waitTimeoutOption } from '../options.js';
import { caPassphraseOption } from '../passphrase.js';
import { type Place, waitForRoot } from '../root-wait.js';

interface StepOptions {
  readonly wait?: boolean;
  readonly yes?: boolean;
  /** Milliseconds. */
  readonly timeout: number;
  readonly caPassphraseFile?: string;
  readonly data: string;
}

type Authority = Awaited<ReturnType<typeof readAuthority>>;
type Act = (place: Place, options: StepOptions, authority: Authority) => Promise<void>;

export function defineSteps(ca: Command, context: Context): void {
  const define = (name: string, text: string, act: Act, wait: string): Command =>
    ca
      .command(name)
      .description(text)
      .option('--wait', wait)
      .addOption(waitTimeoutOption())
      .addOption(dataOption())
      .addHelpText('after', toExample(`countersign ca ${name}${name === 'taint' ? '' : ' --wait'}`))
      .action((options: StepOptions) => run(act, options, context));
  define(
    'prepare',
    'make a new root that every proxy comes to trust; nothing is signed by it yet',
    prepare,
    'wait until every proxy trusts it',
  ).addOption(caPassphraseOption());
  define(
    'activate',
    'let the prepared root sign; the old one stays trusted until `ca rotate` or `ca taint`',
    activate,
    'wait until every proxy has a leaf of it',
  );
  define(
    'taint',
    'say that the old root is bad: it goes as soon as every proxy has a leaf of the new one',
    taint,
    'wait until it is gone',
  ).option('--yes', 'even if that cuts off clients without a sidecar');
  define(
    'abort',
    'take a change of root back, in stages that fail no request',
    abort,
    'wait until the new root is gone',
  );
}

async function run(act: Act, options: StepOptions, context: Context): Promise<void> {
  const { random } = context;
  const dataDir = await openDataDir({ path: options.data, lock: false, create: false, random });
  await assertOwnAuthority(dataDir);
  await act({ dataDir, context, options }, options, await readAuthority(dataDir));
}

async function prepare(place: Place, options: StepOptions, { change }: Authority): Promise<void> {
  if (change !== undefined) {
    throw new MeshError('request-invalid', 'expected no change of root to be under way', {
      hint: 'see `countersign ca show`; `countersign ca abort` takes it back',
    });
  }
  const { isTaken, rootSha256 } = await offerNewRoot(place, { ...options, until: 'trust' });
  if (options.wait !== true) return;
  const done = 'every proxy trusts the new root: `countersign ca activate` lets it sign';
  if (isTaken) await waitForRoot(place, { rootSha256, point: 'trusted', done });
  else place.context.exitCode = 1;
}

async function activate(place: Place, { wait }: StepOptions, authority: Authority): Promise<void> {
  const { newRootSha256: rootSha256 } = requireChange(authority, {
    expected: 'a prepared root',
    hint: 'make one: `countersign ca prepare`',
  });
  const taken = 'the new root signs as soon as every proxy trusts it; the old one stays trusted';
  await steer(place, { rootSha256, step: 'sign', taken });
  const done = 'every proxy has a leaf of the new root';
  if (wait === true) await waitForRoot(place, { rootSha256, point: 'signing', done });
}

async function taint(place: Place, options: StepOptions, authority: Authority): Promise<void> {
  const { dataDir, context } = place;
  const change = requireChange(authority, {
    expected: 'a new root that takes over from the bad one',
    hint: 'give the mesh another root first: `countersign ca rotate`, and then `ca taint`',
  });
  if (change.stage === 'trust' && change.until === 'trust') {
    const message = 'expected a new root that signs but it is only prepared';
    throw new MeshError('request-invalid', message, { variant: 'not-activated' });
  }
  const dependents = await findDependents(authority, dataDir, context);
  warnOfCut(
    dependents.filter(({ kind }) => kind !== 'sidecar'),
    options,
    context,
  );
  const { newRootSha256: rootSha256, goingRootSha256 } = change;
  const taken = 'the old root is marked as bad: it goes as soon as every proxy has a new leaf';
  await steer(place, { rootSha256, step: 'taint', taken, isUrgent: true });
  const done = 'the bad root is no longer trusted';
  if (options.wait === true) {
    await waitForRoot(place, { rootSha256: goingRootSha256, point: 'gone', done });
  }
}

/** @throws MeshError confirmation-missing where somebody is cut off and `--yes` isn't given */
function warnOfCut(cut: readonly Dependent[], { yes }: StepOptions, { stderr }: Context): void {
  const title = 'warning: a bad root goes at once; nobody but proxies is waited for';
  writeLine(stderr, cut.length === 0 ? title : `${title}. That cuts off:`);
  for (const { text } of cut.slice(0, SHOWN)) writeLine(stderr, `  ${text}`);
  if (cut.length > SHOWN) writeLine(stderr, `  and ${cut.length - SHOWN} more`);
  if (cut.length === 0 || yes === true) return;
  const message = `expected --yes: ${cut.length} depend on the root that is bad`;
  throw new MeshError('confirmation-missing', message, {
    hint:
      '`cert --watch` follows by itself if it reaches the server now; cut the rest off with ' +
      '`countersign ca taint --yes`, and give them new certificates',
  });
}

const SHOWN = 50;

async function abort(place: Place, { wait }: StepOptions, authority: Authority): Promise<void> {
  const { stage, newRootSha256: rootSha256 } = requireChange(authority, {
    expected: 'a change of root to take back',
    hint: 'see `countersign ca show`; a root that stands alone is replaced by `ca rotate`',
  });
  const taken =
    stage === 'trust'
      ? 'the new root is dropped: nothing was signed by it'
      : 'the old root signs again; the new one goes when nobody needs it';
  await steer(place, { rootSha256, step: 'abort', taken });
  const done = 'the new root is no longer trusted';
  if (wait === true) await waitForRoot(place, { rootSha256, point: 'gone', done });
}

/** @throws MeshError request-invalid where none is under way */
function requireChange(
  { change }: Authority,
  { expected, hint }: { readonly expected: string; readonly hint: string },
): RootChange {
  if (change !== undefined) return change;
  const message = `expected ${expected} but no change of root is under way`;
  throw new MeshError('request-invalid', message, { hint });
}
