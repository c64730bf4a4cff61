// envoy-examples/10-vm-with-systemd-and-capture to the letter, on two hosts.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  connectHosts,
  createReader,
  lackOfHosts,
  nameHost,
  ROOT,
  readSteps,
  standInForNpm,
  standInForSsh,
  startMachine,
} from '../documents/index.js';
import { describeEnvoy, useHarness } from '../harness/index.js';
import { analyze, lackOfAnalyze } from './systemd-analyze.js';
import { bindAt, type } from './typed.js';

const FOLDER = 'envoy-examples/10-vm-with-systemd-and-capture';
/** The headings of what is done on the VM. */
const THERE = /on the VM$/i;
const AROUND = 'curl -sf -m 5 -o /dev/null http://10.0.0.2:8080/accounts';

describe.skipIf(lackOfAnalyze() !== undefined)("the application's unit", () => {
  test('is taken by systemd without a word, beside that of the rules', () => {
    const units = [join(FOLDER, 'ledger.service'), 'docs/systemd/countersign-capture.service'];
    const { status, stdout, stderr } = analyze('verify', ...units.map((path) => join(ROOT, path)));
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
  });
});

const hasNft = spawnSync('nft', ['--version']).error === undefined;
if (!hasNft && process.env['CI'] === 'true') throw new Error('nft is missing');
const lack = lackOfHosts() ?? (hasNft ? undefined : 'nft missing');

await describeEnvoy(FOLDER, {}, ({ binary }) => {
  const harness = useHarness('vm-with-capture');

  test.skipIf(lack !== undefined)(
    `a VM whose traffic is captured${lack === undefined ? '' : ` [skipped: ${lack}]`}`,
    async () => {
      const [first, second] = await Promise.all([
        startMachine(harness, 'server-machine'),
        startMachine(harness, 'vm'),
      ]);
      connectHosts({ host: first, address: '10.0.0.1' }, { host: second, address: '10.0.0.2' });
      for (const host of [first, second]) nameHost(host, '10.0.0.1 countersign.internal');
      standInForSsh(first);
      for (const host of [first, second]) standInForNpm(host);
      const options = { cwd: '/root', home: '/root', path: [] };
      const server = createReader(harness, { ...options, host: first, peer: second });
      const vm = createReader(harness, { ...options, host: second });
      for (const reader of [server, vm]) {
        await type(reader, 'test -e /etc/host-of-a-test');
        await type(reader, bindAt(binary, '/usr/local/bin/envoy'));
        await type(reader, bindAt(process.execPath, '/usr/local/bin/node'));
      }
      for (const step of readSteps(`${FOLDER}/README.md`)) {
        const reader = THERE.test(step.headings.at(-1) ?? '') ? vm : server;
        await reader.follow([step]);
      }
      // Nothing but the rules kept it closed.
      await type(vm, 'systemctl start ledger');
      await type(server, `until ${AROUND}; do sleep 0.2; done`);
    },
    240_000,
  );
});
