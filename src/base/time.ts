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

/** A time in ms since the epoch as RFC 3339 in UTC, with milliseconds. */
export function toRfc3339(ms: number): string {
  return new Date(ms).toISOString();
}
