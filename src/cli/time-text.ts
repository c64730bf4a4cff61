// Spans of time, for people.

export function toAge(rfc3339: string, nowMs: number): string {
  return toSpan(nowMs - Date.parse(rfc3339));
}

export function toTimeLeft(rfc3339: string, nowMs: number): string {
  const leftMs = Date.parse(rfc3339) - nowMs;
  return leftMs <= 0 ? `ENDED ${toSpan(-leftMs)} ago` : `ends in ${toSpan(leftMs)}`;
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
] as const;

/** The largest unit of which there are two or more: `36h`, `90m`, `15s`. */
export function toSpan(ms: number): string {
  const [unit, size] = UNITS.find(([, one]) => ms >= 2 * one) ?? ['s', 1_000];
  return `${Math.max(0, Math.floor(ms / size))}${unit}`;
}
