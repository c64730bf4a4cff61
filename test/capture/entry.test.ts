// The entry point of the image "capture", with stand-ins for nft and countersign.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { FIRST_RULES } from '../../src/capture/index.js';

const ENTRY = join(import.meta.dirname, '../../scripts/capture-entry.sh');
const LIST = 'nft list table inet countersign';

function run(args: readonly string[], nft: { there?: boolean; refuses?: boolean } = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'countersign-entry-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const ran = join(dir, 'ran');
  const put = (name: string, code: string): void => {
    writeFileSync(join(dir, name), `#!/bin/sh\necho "${name} $*" >> ${ran}\n${code}\n`);
    chmodSync(join(dir, name), 0o755);
  };
  put('nft', `[ "$1" = list ] && exit ${nft.there ? 0 : 1}; exit ${nft.refuses ? 1 : 0}`);
  put('countersign', 'exit 7');
  const { status, stderr } = spawnSync('sh', [ENTRY, ...args], {
    env: { PATH: `${dir}:${process.env['PATH']}` },
    encoding: 'utf8',
  });
  return { status, stderr, ran: readFileSync(ran, 'utf8').trim().split('\n') };
}

test('a holder has rules before Node runs', () => {
  const both = run(['capture', '--sleep']);
  const first = (name: string) => `nft -f /opt/countersign/first-rules/${name}`;
  expect(both.ran).toEqual([LIST, first('both.nft'), 'countersign capture --sleep']);
  expect(both.status).toBe(7);
  const inbound = run(['capture', '--sleep', '--inbound-only', '--exclude', '22']);
  expect(inbound.ran[1]).toBe(first('inbound.nft'));
  expect(run(['capture', '--outbound-only', '--sleep']).ran[1]).toBe(first('both.nft'));
  expect([...FIRST_RULES.keys()].sort()).toEqual(['both.nft', 'inbound.nft']);
});

test('where the first rules are refused, it ends, and nothing else runs', () => {
  const { status, stderr, ran } = run(['capture', '--sleep'], { refuses: true });
  expect(status).toBe(1);
  expect(stderr).toMatch(/^error: the first rules can't be set, and nothing is held\n {2}hint: /);
  expect(ran.filter((line) => line.startsWith('countersign'))).toEqual([]);
});

test('rules that are there stay until others are in force', () => {
  const { ran } = run(['capture', '--sleep'], { there: true });
  expect(ran).toEqual([LIST, 'countersign capture --sleep']);
});

test.each(['capture --undo', 'capture --dry-run', 'capture', 'serve --sleep', '--version'])(
  'what holds no network sets no first rules: %s',
  (words) => {
    expect(run(words.split(' ')).ran).toEqual([`countersign ${words}`]);
  },
);

test('the first rules leave nothing and nobody alone, but for this host itself', () => {
  for (const text of FIRST_RULES.values()) {
    expect(text).not.toContain('skuid');
    expect(text.match(/tcp dport .*/g)).toEqual(['tcp dport { 15006 } return']);
  }
  expect(FIRST_RULES.get('both.nft')).toContain('redirect to :15001');
  expect(FIRST_RULES.get('inbound.nft')).not.toContain('outbound');
});
