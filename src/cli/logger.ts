// The server's log: JSON lines for machines, or readable lines where a person is watching.
import pino from 'pino';
import { type Logger, MeshError, toRfc3339 } from '../base/index.js';
import { hintOf, type Output } from '../terminal/index.js';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Nothing logs these. If something did, they would be redacted, down to the fourth level. */
const SECRETS = ['privateKeyPem', 'privateKey', 'keyPem', 'token', 'authorization', 'passphrase'];
const REDACTED = SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`, `*.*.*.${name}`]);

export function createLogger(output: Output, level: LogLevel): Logger {
  const write = output.isTTY
    ? (line: string): void => output.write(toReadable(line))
    : (line: string): void => output.write(line);
  return pino(
    {
      level,
      base: null,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: toShown },
      redact: { paths: REDACTED, censor: '[redacted]' },
    },
    { write },
  );
}

/** An error as pino shows it; one of ours with its hint. */
function toShown(error: Error): object {
  const shown = pino.stdSerializers.err(error);
  return error instanceof MeshError ? { ...shown, hint: hintOf(error) } : shown;
}

/** `12:34:56.789 info  sidecar connected node="web~127.0.0.2"` of a JSON line. */
function toReadable(line: string): string {
  const { level, time, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const clock = toRfc3339(Number(time)).slice(11, 23);
  const shown = Object.entries(fields).map(([name, value]) => ` ${name}=${toText(value)}`);
  return `${clock} ${String(level).padEnd(5)} ${String(msg)}${shown.join('')}\n`;
}

/** A stack keeps its lines; everything else goes on one. */
function toText(value: unknown): string {
  if (typeof value === 'object' && value !== null && 'stack' in value) return String(value.stack);
  return JSON.stringify(value);
}
