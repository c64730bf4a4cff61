import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { applyRules, toRules, undoRules } from '../../src/capture/index.js';

const RULES = { inbound: true, outbound: true, exclude: [22], uid: 10_001 };

/** A program in the place of nft, and what it was given, each time. */
function makeNft(script: string): { path: string; given: () => string } {
  const dir = mkdtempSync(join(tmpdir(), 'countersign-nft-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const path = join(dir, 'nft');
  const given = join(dir, 'given');
  writeFileSync(given, '');
  writeFileSync(path, `#!/bin/sh\necho "$@" >> ${given}\n${script.replaceAll('GIVEN', given)}\n`);
  chmodSync(path, 0o755);
  return { path, given: () => readFileSync(given, 'utf8') };
}

test('nft gets the whole text at once', async () => {
  const { path, given } = makeNft('cat >> GIVEN');
  await applyRules(RULES, path);
  expect(given()).toBe(`-f -\n${toRules(RULES)}`);
});

test('rules that are there are taken away, and where there are none nothing is done', async () => {
  const there = makeNft('cat >> GIVEN');
  expect(await undoRules(there.path)).toBe(true);
  expect(there.given()).toContain('list table inet countersign\n-f -\nadd table inet countersign');
  const none = makeNft('echo "Error: No such file or directory" >&2; exit 1');
  expect(await undoRules(none.path)).toBe(false);
  expect(none.given()).toBe('list table inet countersign\n');
});

test.each([
  ['netlink: Error: cache initialization failed: Operation not permitted', 'no-right'],
  ['/dev/stdin:3:1-2: Error: Could not process rule: No such file or directory', undefined],
])('nft says %s', async (words, variant) => {
  const { path } = makeNft(`cat > /dev/null; echo '${words}' >&2; echo more >&2; exit 1`);
  const message = `nft refused, and nothing was changed: ${words}`;
  const error = { code: 'capture-failed', message, variant };
  await expect(applyRules(RULES, path)).rejects.toMatchObject(error);
  if (variant !== undefined) await expect(undoRules(path)).rejects.toMatchObject(error);
});

test('there is no nft', async () => {
  const error = { code: 'capture-failed', variant: 'no-nft' };
  const message = 'expected the program nft but got none';
  await expect(applyRules(RULES, '/no/such/nft')).rejects.toMatchObject({ ...error, message });
  await expect(undoRules('/no/such/nft')).rejects.toMatchObject({ ...error, message });
});
