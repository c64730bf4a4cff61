import { DATE, type Observed } from './case.js';
import type { Message } from './http1.js';

/** RFC 9110 section 7.6.1: about one connection, not about the message. */
const HOP_BY_HOP = ['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'te'];
/** What a sidecar adds where it is missing; docs/limits.md names them. */
export const ADDED = ['x-forwarded-proto', 'x-forwarded-client-cert'] as const;

const nameOf = (line: string): string => line.slice(0, line.indexOf(':'));

function toComparable(message: Message, keepsCase: boolean): Message {
  const spell = (line: string): string => {
    const name = nameOf(line);
    const value = line.slice(name.length + 1).trim();
    // A time that the case doesn't set says only that somebody set one.
    if (name.toLowerCase() === 'date' && !DATE.endsWith(value)) return 'date: now';
    return `${keepsCase ? name : name.toLowerCase()}: ${value}`;
  };
  const order = (lines: readonly string[]): string[] =>
    lines
      .map(spell)
      .filter((line) => !HOP_BY_HOP.includes(nameOf(line).toLowerCase()))
      // The order among different names says nothing (RFC 9110 section 5.3); within a name it does.
      .map((line, index) => ({ line, index }))
      .sort((a, b) => compareText(nameOf(a.line), nameOf(b.line)) || a.index - b.index)
      .map(({ line }) => line);
  return { ...message, headers: order(message.headers), trailers: order(message.trailers) };
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

export function comparable(observed: Observed, keepsCase: boolean): Observed {
  const all = (messages: readonly Message[]): Message[] =>
    messages.map((message) => toComparable(message, keepsCase));
  return { ...observed, requests: all(observed.requests), answers: all(observed.answers) };
}

/** Without the headers that a sidecar may add to requests, where the client didn't send them. */
export function withoutAdded(through: Observed, direct: Observed): Observed {
  const requests = through.requests.map((message, index) => {
    const sent = new Set(direct.requests[index]?.headers.map(nameOf));
    const kept = message.headers.filter((line) => {
      const name = nameOf(line);
      return sent.has(name) || !(ADDED as readonly string[]).includes(name.toLowerCase());
    });
    return { ...message, headers: kept };
  });
  return { ...through, requests };
}
