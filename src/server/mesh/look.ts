// The mesh files at one moment, unparsed and parsed, and as a server finds them that starts.
import { createHash } from 'node:crypto';
import { type Clock, MeshError } from '../../base/index.js';
import {
  type Mesh,
  type Problem,
  parseMesh,
  readMeshFiles,
  skippedFiles,
} from '../../policy/index.js';
import { hintOf } from '../../terminal/index.js';
import {
  arrivedWhole,
  isSameMark,
  type Marks,
  markFiles,
  toStillMs,
  WrittenNames,
} from './arrival.js';
import type { MeshFiles } from './stored-mesh.js';

/** A start waits this often for files that somebody goes on writing to. */
const STILL_TRIES = 5;

export const NO_MARKS: Marks = new Map();

export interface Read {
  readonly mesh: Mesh | undefined;
  readonly problems: readonly Problem[];
  readonly files: MeshFiles;
}

/** The files at one moment. */
export interface Look {
  readonly marks: Marks;
  /** Changes when anything that was read does. */
  readonly seen: string;
  readonly files: MeshFiles;
  /** Why they can't be read. */
  readonly problem?: Problem;
}

export function lookAt(path: string): Look {
  try {
    const files = readMeshFiles(path);
    const marks = markFiles(files.map((file) => file.path));
    return { marks, files, seen: toDigest(JSON.stringify(files)) };
  } catch (error) {
    if (!(error instanceof MeshError)) throw error;
    const hint = hintOf(error);
    const problem: Problem = {
      severity: 'error',
      source: { file: path, line: 1, column: 1 },
      path: '',
      message: error.message,
      ...(hint === undefined ? {} : { hint }),
    };
    return { marks: NO_MARKS, files: [], seen: toDigest(error.message), problem };
  }
}

export function toRead(path: string, { files, problem }: Look): Read {
  if (problem !== undefined) return { mesh: undefined, problems: [problem], files };
  const { mesh, problems } = parseMesh(files);
  return { mesh, problems: [...problems, ...skippedFiles(path)], files };
}

export function isSameLook(a: Look, b: Look): boolean {
  if (a.seen !== b.seen || a.marks.size !== b.marks.size) return false;
  return [...a.marks].every(([path, mark]) => {
    const other = b.marks.get(path);
    return other !== undefined && isSameMark(mark, other);
  });
}

/**
 * The files as a server finds them that starts. Where they were written so shortly before that
 * their author may not be done, it looks again; the first start of all has nothing to protect yet.
 */
export async function lookWhenStill(
  { path, clock }: { readonly path: string; readonly clock: Clock },
  remembered: Mesh | undefined,
): Promise<{ look: Look; read: Read }> {
  for (let tries = 0; ; tries++) {
    const look = lookAt(path);
    const read = toRead(path, look);
    if (remembered === undefined || read.mesh?.version === remembered.version) {
      return { look, read };
    }
    const leftMs = toStillLeftMs(look.marks, { ...read, before: remembered }, clock.now());
    if (leftMs <= 0 || tries === STILL_TRIES) return { look, read };
    await new Promise<void>((resolve) => void clock.after(leftMs, resolve));
  }
}

/** For how much longer the files have to stand still, by when they were last written. */
function toStillLeftMs(
  marks: Marks,
  read: Read & { readonly before: Mesh },
  nowMs: number,
): number {
  const whole = arrivedWhole({ before: NO_MARKS, now: marks, names: new WrittenNames() });
  const stillMs = toStillMs({ ...read, whole, after: read.mesh });
  // In whole milliseconds, as the clock is: else what was written in this one lies in the future.
  const agesMs = [...marks.values()].map(
    ({ modifiedNs }) => nowMs - Number(modifiedNs / 1_000_000n),
  );
  // A time in the future is a clock that was set: it says nothing of how long ago that was.
  const sinceMs = Math.min(...agesMs.filter((ageMs) => ageMs >= 0), stillMs);
  return whole ? 0 : Math.ceil(stillMs - sinceMs);
}

function toDigest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
