// What every part of the benchmark shares: numbers of many rounds, and what /proc says of a
// process.
import { readFileSync } from 'node:fs';

/** Clock ticks a second in /proc/<pid>/stat: USER_HZ, 100 on every Linux that Node runs on. */
const TICKS_PER_S = 100;
/**
 * A ratio says nothing where the middle half of the rounds spreads by more than this part of the
 * median.
 */
const MAX_SPREAD = 0.5;
/** Fewer rounds have no spread to speak of. */
const MIN_ROUNDS = 3;

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Milliseconds of CLOCK_MONOTONIC: the same in every process of a machine. */
export const nowMs = () => Number(process.hrtime.bigint()) / 1e6;

/** The value below which that part of them lies (nearest rank). */
export function percentile(values, part) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(sorted.length * part) - 1))];
}

/** Median and spread of rounds; `spread` is (p75 - p25) / median. */
export function summarize(values) {
  const median = percentile(values, 0.5);
  const [low, high] = [percentile(values, 0.25), percentile(values, 0.75)];
  return {
    ...{ median, low, high, min: Math.min(...values), max: Math.max(...values) },
    spread: median === 0 ? 0 : (high - low) / median,
    rounds: values.length,
  };
}

/**
 * `ours` to `theirs`, of medians. With both measured in turns, the rounds' own ratios say how sure
 * it is: `steady` is false where their middle half spreads too far, or where they are too few.
 */
export function compare(ours, theirs) {
  const {
    median: value,
    low,
    high,
    spread,
  } = summarize(ours.map((one, i) => one / theirs[i % theirs.length]));
  return { value, low, high, steady: ours.length >= MIN_ROUNDS && spread <= MAX_SPREAD };
}

/** RSS of a process, in kB. */
export function rssKb(pid) {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1]);
}

/** CPU (user and system) that a process has used, in milliseconds; steps of 10. */
export function cpuMs(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // After the name, which may hold anything: fields 3 and on; utime and stime are 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_S;
}

/** Resolves when `read` has changed by no more than `by` for `forMs`, or after `atMostMs`. */
export async function settled(read, { by, forMs = 1000, atMostMs = 30_000 }) {
  const until = nowMs() + atMostMs;
  let base = read();
  let sinceMs = nowMs();
  while (nowMs() < until && nowMs() - sinceMs < forMs) {
    await sleep(50);
    const value = read();
    if (Math.abs(value - base) <= by) continue;
    base = value;
    sinceMs = nowMs();
  }
  return read();
}

/** RSS of a process at rest, as it stands and after a full collection (gc-on-signal.mjs), in kB. */
export async function restingRssKb(pid) {
  await settled(() => cpuMs(pid), { by: 30, atMostMs: 10_000 });
  const asItStandsKb = rssKb(pid);
  process.kill(pid, 'SIGUSR2');
  await sleep(500);
  await settled(() => rssKb(pid), { by: 512, atMostMs: 10_000 });
  return { asItStandsKb, collectedKb: rssKb(pid) };
}
