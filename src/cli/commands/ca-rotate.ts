// `ca rotate`: a new root takes over, in stages that the server paces. The command makes it and
// leaves it for the server; `--finish` is the operator's word that nobody needs the old one.
import type { Command } from 'commander';
import { MeshError } from '../../base/index.js';
import { createCaChain, loadAuthority, offerLine, writeFinish } from '../../ca/index.js';
import { assertOwnAuthority } from '../../ca/step-ca/index.js';
import { openDataDir } from '../../data/index.js';
import type { ServerStatus } from '../../server/status/index.js';
import { type Context, writeLine } from '../../terminal/index.js';
import { generateKeys } from '../../x509/keys/index.js';
import { ask } from '../admin-client.js';
import {
  dataOption,
  durationOption,
  type ServerOptions,
  serverOptions,
  toExample,
} from '../options.js';
import { caPassphraseOption, tryCaPassphrase } from '../passphrase.js';
import { startRepetition } from '../repetition.js';

interface RotateOptions extends ServerOptions {
  readonly wait?: boolean;
  readonly finish?: boolean;
  /** Milliseconds. */
  readonly timeout: number;
  readonly caPassphraseFile?: string;
  readonly data: string;
}

const LOOK_EVERY_MS = 500;

export function defineRotate(command: Command, context: Context): void {
  command
    .description('replace the root, in stages that fail no request')
    .option('--wait', 'until the new root stands alone, or something holds on to the old one')
    .option('--finish', 'the old root may go, whoever holds on to it')
    .addOption(
      durationOption({
        flags: '--timeout <duration>',
        name: '--timeout',
        description: 'of --wait',
        fallback: '5m',
        range: ['0s', '7d'],
      }),
    )
    .addOption(caPassphraseOption())
    .addOption(dataOption());
  for (const option of serverOptions()) command.addOption(option);
  command
    .addHelpText(
      'after',
      toExample('countersign ca rotate --wait', 'countersign ca rotate --finish'),
    )
    .action((options: RotateOptions) => rotate(options, context));
}

async function rotate(options: RotateOptions, context: Context): Promise<void> {
  const { clock, random, stdout } = context;
  const dataDir = await openDataDir({ path: options.data, lock: false, create: false, random });
  await assertOwnAuthority(dataDir);
  const passphrase = tryCaPassphrase(options.caPassphraseFile);
  const authority = await loadAuthority({ dataDir, clock, random, passphrase });
  const { change, trustDomain } = authority;
  if (options.finish === true) {
    if (change?.stage !== 'sign') {
      const stage = change === undefined ? 'no change of root is under way' : 'it has only begun';
      throw new MeshError('request-invalid', `expected a new root that signs but ${stage}`, {
        hint: 'see `countersign ca show`',
      });
    }
    await writeFinish(dataDir, change.oldRootSha256);
    writeLine(stdout, 'the old root goes as soon as the server has seen this');
  } else if (change === undefined) {
    const tools = { clock, random, keySource: generateKeys };
    await offerLine(dataDir, await createCaChain(trustDomain, tools), passphrase);
    writeLine(stdout, 'a new root waits for the server, which takes it over in stages');
  } else if (options.wait !== true) {
    throw new MeshError('request-invalid', 'expected no change of root to be under way', {
      hint: 'see `countersign ca show`; `countersign ca rotate --wait` waits for it',
    });
  }
  if (options.wait === true) await waitForEnd(options, context);
}

/** Until no root is being changed; says who holds it up where the time runs out. */
async function waitForEnd(options: RotateOptions, context: Context): Promise<void> {
  const { clock, stdout, stderr } = context;
  const endMs = clock.now() + options.timeout;
  const repetition = startRepetition(context);
  try {
    for (;;) {
      // `wait` makes the server look at its data folder at once.
      await ask({ ...options, path: '/v1/wait?timeout_ms=0', answers: [409] });
      const { rootChange } = (await ask({ ...options, path: '/v1/status' })) as ServerStatus;
      if (rootChange === null) {
        writeLine(stdout, 'the new root stands alone');
        return;
      }
      if (clock.now() >= endMs) {
        const who = rootChange.waitingFor.join(', ');
        writeLine(stderr, `error: expected the new root to stand alone but it waits for ${who}`);
        context.exitCode = 1;
        return;
      }
      if (!(await repetition.pause(LOOK_EVERY_MS))) return;
    }
  } finally {
    repetition.end();
  }
}
