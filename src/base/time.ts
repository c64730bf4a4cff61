// Time: its units, and how it is written and read as text. Everything is in milliseconds.

export const SECOND_MS = 1_000;
export const MINUTE_MS = 60 * SECOND_MS;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;
/** Of 365 days. */
export const YEAR_MS = 365 * DAY_MS;

const UNITS_MS = { ms: 1, s: SECOND_MS, m: MINUTE_MS, h: HOUR_MS, d: DAY_MS } as const;
const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;

/** Milliseconds of `10s`, `1.5h`, `90d`; undefined where the text is no duration. */
export function tryDurationMs(text: string): number | undefined {
  const match = DURATION.exec(text.trim());
  if (match === null) return undefined;
  return Number(match[1]) * UNITS_MS[match[2] as keyof typeof UNITS_MS];
}

/** Seconds with their fraction, as metrics and messages have them. */
export function toSeconds(ms: number): number {
  return ms / SECOND_MS;
}

/** Whole seconds and the rest in nanoseconds, as protobuf's Duration and Timestamp have them. */
export function toSecondsAndNanos(ms: number): {
  readonly seconds: number;
  readonly nanos: number;
} {
  const seconds = Math.floor(ms / SECOND_MS);
  return { seconds, nanos: Math.round((ms - seconds * SECOND_MS) * NANOS_IN_MS) };
}

const NANOS_IN_MS = 1_000_000;
const SPAN_UNITS = [
  ['d', DAY_MS],
  ['h', HOUR_MS],
  ['m', MINUTE_MS],
] as const;

/** The largest unit of which there are two or more, for people: `36h`, `90m`, `15s`. */
export function toSpan(ms: number): string {
  const [unit, size] = SPAN_UNITS.find(([, one]) => ms >= 2 * one) ?? ['s', SECOND_MS];
  return `${Math.max(0, Math.floor(ms / size))}${unit}`;
}

/** A time in ms since the epoch as RFC 3339 in UTC, with milliseconds. */
export function toRfc3339(ms: number): string {
  return new Date(ms).toISOString();
}
