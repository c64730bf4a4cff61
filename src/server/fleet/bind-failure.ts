// Listeners whose address a sidecar can't bind: trouble of that listener on that host, which ends
// without any change of ours. Envoy says so in words only (ListenerManagerImpl and LdsApiImpl, 1.36
// to 1.40), a line a listener:
//   Error adding/updating listener(s) inbound:8080: cannot bind '10.0.0.7:8080': Address already in
//   use
import { toPlace } from '../../base/index.js';
import type { Rejection } from '../../xds/index.js';

export type BindReason =
  /** Another socket of the host has it. */
  | 'in-use'
  /** The host has no such address. */
  | 'not-local'
  /** A port below 1024, and no right to bind those. */
  | 'not-permitted'
  | 'other';

export interface BindFailure {
  /** The listener's name. */
  readonly listener: string;
  /** Of the listener's content: another one is another failure. */
  readonly version: string;
  /** `10.0.0.7:8080`; undefined where Envoy doesn't say. */
  readonly address: string | undefined;
  readonly reason: BindReason;
  /** The system's, as Envoy quotes it: `Address already in use`. */
  readonly words: string;
  /** `file:line:column` of the port or service in the mesh file. */
  readonly source: string | undefined;
}

/** A listener that can't bind, and how far trying is (`BindRetries`). */
export interface Unbound extends BindFailure {
  /** Who has the address, in words; undefined: not to be seen from here. */
  readonly holder: string | undefined;
  readonly sinceMs: number;
  readonly tries: number;
  /** Undefined: it is being tried. */
  readonly nextTryAtMs: number | undefined;
}

export interface Judged {
  readonly bindFailures: readonly BindFailure[];
  /** Something was rejected for another reason. */
  readonly isOther: boolean;
}

const HEADING = /^Error adding\/updating listener\(s\) /;
/** Of a NACK that was decoded, line ends are written as escapes. */
const LINE_END = /\n|\\n/;
const CANNOT_BIND = /cannot bind '?([^' ]*)'?[^:]*(?:: (.*))?/s;

const REASONS: readonly (readonly [RegExp, BindReason])[] = [
  [/address already in use/i, 'in-use'],
  [/cannot assign requested address/i, 'not-local'],
  [/permission denied/i, 'not-permitted'],
];

/** What of a rejection of listeners is a bind that failed. */
export function judgeRejection({ message, resources, earlier }: Rejection): Judged {
  const bindFailures: BindFailure[] = [];
  let isOther = resources.length === 0 && !CANNOT_BIND.test(message);
  for (const { name, version, source } of resources) {
    const said = earlier?.get(name) ?? message;
    const found = CANNOT_BIND.exec(toLine(said, name) ?? said);
    if (found === null) {
      isOther = true;
      continue;
    }
    const [, address = '', words = 'cannot bind'] = found;
    bindFailures.push({
      listener: name,
      version,
      address: address === '' ? undefined : address,
      reason: REASONS.find(([pattern]) => pattern.test(words))?.[1] ?? 'other',
      words: words.trim(),
      source: source === undefined ? undefined : toPlace(source),
    });
  }
  return { bindFailures, isOther };
}

/** What the message says of that listener; undefined where it doesn't name it. */
function toLine(message: string, name: string): string | undefined {
  const lines = message.replace(HEADING, '').split(LINE_END);
  return lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
}
