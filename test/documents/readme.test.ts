// README.md, "By hand": followed to the letter in clean folders, with the ports, addresses and
// /etc/hosts that it names, on hosts of the test's own.
import { spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { eventually } from '../../src/demo/wait.js';
import { describeEnvoy, useHarness } from '../harness/index.js';
import {
  bind,
  checkout,
  connectHosts,
  createReader,
  type Host,
  lackOfHosts,
  nameHost,
  type Reader,
  ROOT,
  readSteps,
  startHost,
} from './index.js';

const NODE = dirname(process.execPath);
const BY_HAND = readSteps('README.md', 'By hand');
const TWO_MACHINES = 'On two machines';
const under = (heading: string) =>
  BY_HAND.filter(({ headings }) => headings.at(-1)?.startsWith(heading));
/** Of nobody on the machine. */
const ANOTHER_USER = 4242;
const lack = lackOfHosts();
const title = lack === undefined ? 'by hand' : `by hand [skipped: ${lack}]`;

await describeEnvoy('README.md', {}, ({ binary }) => {
  describe.skipIf(lack !== undefined)(title, () => {
    const harness = useHarness('readme');

    const sitAt = (host: Host): Reader => {
      const cwd = checkout(host.folder);
      replaceNpx(host);
      const env = { ENVOY_BIN: binary };
      return createReader(harness, { host, cwd, home: cwd, path: [NODE], env });
    };

    test('npx finds the command in a clone', async () => {
      const cwd = checkout(await harness.tempDir());
      const { status, stdout } = spawnSync('npx', ['countersign', '--version'], {
        cwd,
        encoding: 'utf8',
        env: { PATH: `${NODE}:/usr/bin:/bin`, HOME: cwd },
      });
      expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringMatching(/^\d+\.\d/) });
    });

    test('two services on one machine', async () => {
      const reader = sitAt(await startHost(harness, 'machine'));
      await reader.follow(BY_HAND.filter(({ headings }) => !headings.includes(TWO_MACHINES)));
      expect(await printedBy(reader, 'npx countersign status')).toMatch(
        /payments\/ledger.* 127\.1\.0\.1.*\n(.*\n)*.*web.* 127\.1\.0\.2/,
      );
    }, 60_000);

    test('two machines, the second with its folder copied to another user', async () => {
      const [first, second] = await Promise.all([
        startHost(harness, 'server-machine'),
        startHost(harness, 'ledger-machine'),
      ]);
      connectHosts({ host: first, address: '10.0.0.1' }, { host: second, address: '10.0.0.2' });
      for (const host of [first, second]) nameHost(host, '10.0.0.1 countersign.internal');
      const reader = sitAt(first);
      const home = prepareSecond(first, second);
      bind(second, binary, 'envoy');
      await startLedger(createReader(harness, { host: second, cwd: home, home, path: [] }));
      await (await reader.terminal()).run('npx countersign init');
      await reader.follow(under("On the server's machine"));
      const other = { host: second, cwd: home, home, user: ANOTHER_USER, path: [] };
      await createReader(harness, other).follow(under("On the ledger's machine"));
      await reader.follow(under('Back on the first'));
      expect(statSync(join(home, 'ledger/token')).uid).toBe(ANOTHER_USER);
      expect(await printedBy(reader, 'npx countersign status')).toMatch(/ledger.* 10\.0\.0\.2/);
    }, 60_000);
  });
});

async function printedBy(reader: Reader, command: string): Promise<string> {
  const { printed } = await (await reader.terminal()).run(command);
  return printed;
}

/** npm's own takes a second of a core for each command: one that does the same stands in for it. */
function replaceNpx(host: Host): void {
  const script = `#!/bin/sh
[ "$1" = countersign ] && shift && exec node dist/cli/main.js "$@"
`;
  writeFileSync(join(host.programs, 'npx'), script, { mode: 0o755 });
}

/** The home of a user there, and an `scp` here that copies to it as one between machines does. */
function prepareSecond(first: Host, second: Host): string {
  const home = join(second.folder, 'home');
  mkdirSync(home);
  chownSync(home, ANOTHER_USER, ANOTHER_USER);
  const script = `#!/bin/sh -e
[ "$1 $3" = '-rp ${second.name}:' ]
cp -rp "$2" ${home}
chown -R ${ANOTHER_USER} ${home}
`;
  writeFileSync(join(first.programs, 'scp'), script, { mode: 0o755 });
  return home;
}

/** The application, which answers with what reached it. */
async function startLedger(root: Reader): Promise<void> {
  const program = join(ROOT, 'dist/demo/echo-main.js');
  const terminal = await root.terminal();
  terminal.start(`${process.execPath} ${program} http ledger 127.0.0.1 9080`);
  await eventually(() => terminal.printed().includes('listens on'), { what: 'the application' });
}
