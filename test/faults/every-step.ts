// Drives a command through a fault at its first step, its second, and so on, until it gets through;
// each time in a copy of one prepared folder, which is looked at when the command has ended. What
// the copy holds then must be the state before the command or the one after it.
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { openDataDir } from '../../src/data/index.js';
import { MANIFEST_FILE, readManifest, writeManifest } from '../../src/data/manifest/index.js';
import { type CommandOptions, type Ended, type Fault, runCommand } from './command.js';

/** A folder with `mesh.yaml` in it, and the data folder `data`. */
export interface Place {
  readonly dir: string;
  readonly data: string;
  readonly mesh: string;
}

export interface Step {
  readonly place: Place;
  readonly ended: Ended;
  /** Files of the data folder as the fault left them, by name; without temporary ones. */
  readonly left: ReadonlyMap<string, Buffer>;
  readonly fault: Fault;
}

export interface EveryStep {
  readonly kind: Fault['kind'];
  /** What is there before the command; made once. */
  prepare(place: Place): Promise<void> | void;
  argv(place: Place): readonly string[];
  /** Default: `runCommand`. */
  readonly run?: (options: CommandOptions) => Promise<Ended>;
  /** Throws where the state is neither the one before nor the one after. */
  check(step: Step): Promise<void>;
  /** Only each so-many-th step; default: every one, as `npm run soak` does for all. */
  readonly stride?: number;
  /** Fewer mean that the faults go past the command. */
  readonly atLeast: number;
}

const MESH = `trustDomain: shop.example
services:
  web:
    ports: { 8080: http }
`;
const MAX_STEPS = 400;
/** Two cores; a command is a process of its own. */
const AT_ONCE = 2;

export function newPlace(): Place {
  const dir = mkdtempSync(join(tmpdir(), 'countersign-faults-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }));
  return { dir, data: join(dir, 'data'), mesh: join(dir, 'mesh.yaml') };
}

/** A copy of a data folder that is not to be noticed as one. */
export async function adopt({ data }: Place): Promise<void> {
  if (!existsSync(join(data, MANIFEST_FILE))) return;
  const dataDir = await openDataDir({ path: data, lock: false, create: false });
  await writeManifest(dataDir, (await readManifest(dataDir))?.files ?? []);
}

function toPlace(dir: string): Place {
  return { dir, data: join(dir, 'data'), mesh: join(dir, 'mesh.yaml') };
}

/** Runs the command with a fault at each of its steps; how many there were. */
export async function everyStep(row: EveryStep): Promise<number> {
  const { dir } = newPlace();
  const made = toPlace(join(dir, 'made'));
  mkdirSync(made.dir);
  writeMesh(made);
  await row.prepare(made);
  let next = 1;
  let steps: number | undefined;
  const stride = process.env['EVERY_STEP'] === '1' ? 1 : (row.stride ?? 1);
  const lane = async (): Promise<void> => {
    while (steps === undefined) {
      const at = next;
      next += stride;
      expect(at).toBeLessThan(MAX_STEPS);
      const place = toPlace(join(dir, `step-${at}`));
      cpSync(made.dir, place.dir, { recursive: true });
      await adopt(place);
      if (!(await oneStep(row, place, { kind: row.kind, at }))) steps = Math.min(steps ?? at, at);
      rmSync(place.dir, { recursive: true, force: true });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  expect(steps).toBeGreaterThanOrEqual(row.atLeast);
  return steps ?? 0;
}

/** False where the command had got through before the fault's turn came. */
async function oneStep(row: EveryStep, place: Place, fault: Fault): Promise<boolean> {
  const run = row.run ?? runCommand;
  const ended = await run({ argv: row.argv(place), root: place.dir, fault });
  const struck = ended.steps.length >= fault.at;
  const said = `${JSON.stringify(fault)} at ${ended.steps[fault.at - 1]}: ${ended.stderr}`;
  if (fault.kind === 'kill') expect(ended.signal, said).toBe(struck ? 'SIGKILL' : null);
  if (!struck) expect(ended.code, said).toBe(0);
  // What nobody sees of a failure, nobody can repair.
  if (wasRefused(ended)) expect(ended.stderr, said).toContain(fault.kind);
  try {
    const left = readAll(place.data);
    // Whatever a checkout's `git add` could find is ignored before it is there.
    if (left.size > 0) expect(readFileSync(join(place.data, IGNORED), 'utf8')).toBe('*\n');
    await row.check({ place, ended, left, fault });
  } catch (cause) {
    throw new Error(`after ${said}`, { cause });
  }
  return struck;
}

/** Whether an error was let in; a full disk does not refuse what makes room. */
export function wasRefused({ steps, signal }: Ended): boolean {
  return signal === null && steps.some((step) => step.startsWith('! '));
}

const IGNORED = '.gitignore';

/** Every file under a folder by its path in it; without temporary files, locks and .gitignore. */
export function readAll(folder: string): ReadonlyMap<string, Buffer> {
  if (!existsSync(folder)) return new Map();
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(
      (entry) =>
        entry.isFile() &&
        !entry.name.startsWith('.tmp-') &&
        !/lock$/.test(entry.name) &&
        entry.name !== IGNORED,
    )
    .map((entry) => join(entry.parentPath, entry.name));
  return new Map(names.map((name) => [name.slice(folder.length + 1), readFileSync(name)]));
}

/** The mesh that the rows work with. */
export function writeMesh({ mesh }: Place): void {
  writeFileSync(mesh, MESH);
}
