import { inspect } from 'node:util';
import type { Logger } from '../../src/base/index.js';
import { keepOutput } from '../secrets/output.js';

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: object;
}

/** A logger that keeps what it is told. */
export function recordingLogger(): Logger & { readonly lines: readonly LogLine[] } {
  const lines: LogLine[] = [];
  const to =
    (level: LogLine['level']) =>
    (fields: object, message: string): void => {
      lines.push({ level, message, fields });
      keepOutput('a recording logger', `${message} ${inspect(fields, { depth: 6 })}`);
    };
  return { lines, debug: to('debug'), info: to('info'), warn: to('warn'), error: to('error') };
}
