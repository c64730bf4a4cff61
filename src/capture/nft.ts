// nft, which has the rights and the words that Node lacks: it changes the rules of the network
// namespace that it runs in.
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { MeshError, systemErrorCode } from '../base/index.js';
import { type CaptureRules, LIST_ARGS, toRules, UNDO_RULES } from './rules.js';

/**
 * Puts the rules in force, all at once, in the place of any earlier ones.
 * @throws MeshError capture-failed
 */
export async function applyRules(rules: CaptureRules, nft = 'nft'): Promise<void> {
  const refusal = await run({ nft, args: ['-f', '-'], input: toRules(rules) });
  if (refusal !== undefined) throw toFailure(refusal);
}

/** Takes the rules away. @returns Whether there were any. @throws MeshError capture-failed */
export async function undoRules(nft = 'nft'): Promise<boolean> {
  const absence = await run({ nft, args: LIST_ARGS, input: '' });
  if (absence !== undefined && ABSENT.test(absence)) return false;
  const refusal = absence ?? (await run({ nft, args: ['-f', '-'], input: UNDO_RULES }));
  if (refusal !== undefined) throw toFailure(refusal);
  return true;
}

interface Run {
  readonly nft: string;
  readonly args: readonly string[];
  readonly input: string;
}

/** What nft says where it refuses; undefined: it is done. */
async function run({ nft, args, input }: Run): Promise<string | undefined> {
  const child = spawn(nft, args, { stdio: ['pipe', 'ignore', 'pipe'], env: ENGLISH });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  // It may have ended before it read anything; its own words say why.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const words = text(child.stderr);
  try {
    if ((await ended) === 0) return undefined;
  } catch (error) {
    const code = systemErrorCode(error);
    const message = `expected the program nft but got ${code === 'ENOENT' ? 'none' : code}`;
    throw new MeshError('capture-failed', message, { cause: error, variant: 'no-nft' });
  }
  return words;
}

const ENGLISH = { ...process.env, LC_ALL: 'C' };
const ABSENT = /no such file or directory/i;
const NO_RIGHT = /operation not permitted|permission denied|must be root/i;

function toFailure(words: string): MeshError {
  const said = words.trim().split('\n')[0] ?? '';
  const message = `nft refused, and nothing was changed: ${said === '' ? 'it says nothing' : said}`;
  if (!NO_RIGHT.test(words)) return new MeshError('capture-failed', message);
  return new MeshError('capture-failed', message, { variant: 'no-right' });
}
