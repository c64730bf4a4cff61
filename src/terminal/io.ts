// What a command may use of the process. It is injected, so tests run the same program with their
// own.
import {
  type Cancel,
  type Clock,
  escapeControls,
  type Random,
  systemClock,
  systemErrorCode,
  systemRandom,
} from '../base/index.js';

export interface Output {
  readonly isTTY: boolean;
  write(text: string): void;
}

export interface Io {
  /** What was asked for. */
  readonly stdout: Output;
  /** Problems, hints and remarks. */
  readonly stderr: Output;
  readonly clock: Clock;
  readonly random: Random;
  /** Calls `stop` once when the user or the system wants the process to end. */
  onStop(stop: () => void): Cancel;
}

/**
 * 0 done · 1 the answer is no · 2 used wrongly · 3 the server can't be reached · 130 interrupted.
 */
export type ExitCode = 0 | 1 | 2 | 3 | 130;

/** What a command's action works with; the exit code stays 0 unless it sets another. */
export interface Context extends Io {
  exitCode: ExitCode;
  /** `stdout` itself, for our own sequences that steer a terminal and for nothing else. */
  readonly screen: Output;
}

/**
 * The output for text that may quote what somebody else wrote: nothing in it steers a terminal or
 * reorders what it shows.
 */
export function guardOutput(output: Output): Output {
  return { isTTY: output.isTTY, write: (text) => output.write(escapeControls(text)) };
}

const STOP_SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** This process. A second signal ends it at once, which is the system's default. */
export function systemIo(): Io {
  const listeners = new Set<() => void>();
  const stopAll = (): void => {
    for (const signal of STOP_SIGNALS) process.removeListener(signal, stopAll);
    for (const listener of [...listeners]) listener();
  };
  // Nobody is reading any more (`countersign status --watch | head`), so there is nothing left to
  // do.
  const onError = (error: unknown): void => {
    if (systemErrorCode(error) !== 'EPIPE') throw error;
    stopAll();
  };
  process.stdout.on('error', onError);
  process.stderr.on('error', onError);
  return {
    stdout: toOutput(process.stdout),
    stderr: toOutput(process.stderr),
    clock: systemClock,
    random: systemRandom,
    onStop(stop) {
      if (listeners.size === 0) for (const signal of STOP_SIGNALS) process.on(signal, stopAll);
      listeners.add(stop);
      return () => {
        listeners.delete(stop);
        if (listeners.size > 0) return;
        for (const signal of STOP_SIGNALS) process.removeListener(signal, stopAll);
      };
    },
  };
}

function toOutput(stream: NodeJS.WriteStream): Output {
  return {
    isTTY: stream.isTTY === true,
    write(text) {
      stream.write(text);
    },
  };
}

export function writeLine(output: Output, text: string): void {
  output.write(`${text}\n`);
}
