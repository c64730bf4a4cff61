// Time since or until now, for people.
import { toSpan } from '../base/index.js';

export function toAge(rfc3339: string, nowMs: number): string {
  return toSpan(nowMs - Date.parse(rfc3339));
}

export function toTimeLeft(rfc3339: string, nowMs: number): string {
  const leftMs = Date.parse(rfc3339) - nowMs;
  return leftMs <= 0 ? `ENDED ${toSpan(-leftMs)} ago` : `ends in ${toSpan(leftMs)}`;
}
