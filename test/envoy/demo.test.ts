import { readdir, readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import type { Child } from '../../src/demo/child.js';
import { describeEnvoy, eventually, useHarness } from '../harness/index.js';

// `countersign demo` as a user runs it: the built command, in a process of its own.
const TIMEOUT_MS = 120_000;
/** In the environment of everything that a demo starts, so that what it left behind is found. */
const MARK = 'DEMO_TEST_RUN';

const STEPS = [
  'A call over mTLS',
  'TCP over mTLS',
  'Plain text at a permissive port',
  'A caller without permission',
  'Permissive to strict, live',
  'A leaf certificate replaced, live',
];

interface Run {
  readonly child: Child;
  /** What the demo has for temporary files. */
  readonly folder: string;
  readonly mark: string;
}

await describeEnvoy('demo', {}, ({ binary }) => {
  const harness = useHarness('demo');

  const start = async (name: string): Promise<Run> => {
    const folder = await harness.tempDir();
    const mark = `${name}-${process.pid}`;
    const env = { ...process.env, ENVOY_BIN: binary, TMPDIR: folder, [MARK]: mark };
    const child = await harness.program(['demo'], { name, env });
    return { child, folder, mark };
  };

  const expectNothingLeft = async ({ folder, mark }: Run): Promise<void> => {
    // A process that was killed takes a moment to be gone.
    const isGone = async (): Promise<boolean> => (await commandsMarked(mark)).length === 0;
    await eventually(isGone, { what: `the processes of ${mark} to be gone`, timeoutMs: 10_000 });
    expect(await readdir(folder)).toEqual([]);
  };

  test(
    'every step shows what it should, and nothing is left',
    async () => {
      const run = await start('demo');
      expect(await run.child.exited).toMatchObject({ code: 0 });
      const text = run.child.log().join('\n');
      const [, summary = ''] = text.split('\nSummary\n');
      const lines = STEPS.map((title, index) => `ok    ${index + 1}. ${title} `);
      expect(lines.filter((line) => !summary.includes(line))).toEqual([]);
      expect(summary).toContain('6 of 6 steps showed what they should');
      expect(text).not.toContain('FAIL');
      await expectNothingLeft(run);
    },
    TIMEOUT_MS,
  );

  test(
    'interrupted while it starts, it stops everything',
    async () => {
      const run = await start('demo-interrupted');
      await run.child.waitForLog(/^ +countersign serve/, 30_000);
      expect(await commandsMarked(run.mark)).not.toEqual([]);
      run.child.signal('SIGINT');
      expect(await run.child.exited).toMatchObject({ code: 130 });
      expect(run.child.log().at(-1)).toBe('interrupted: stopping everything');
      await expectNothingLeft(run);
    },
    TIMEOUT_MS,
  );
});

/** Command lines of the processes that have the mark in their environment. */
async function commandsMarked(mark: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    // One that ends meanwhile, or is another user's, reads as nothing.
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
    if (!environment.split('\0').includes(`${MARK}=${mark}`)) continue;
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (command !== '') found.push(command.replaceAll('\0', ' '));
  }
  return found;
}
