// Preloaded (`node --import`) into the real command line: counts each operation that changes a file
// under FAULT_ROOT, and at the FAULT_AT-th lets the fault in: `kill` ends the process by SIGKILL
// before the operation, an errno (`ENOSPC`) makes it and all that follow fail as the system would.
// Writing content is two steps: with the second, half of it has been written. With FAULT_SWITCH a
// file says which error there is, as long as that file is there; `slow 200` in it is none, but each
// sync of a file takes so many milliseconds longer. FAULT_LOG gets a line a step,
// with "!" where it was refused.
import fs from 'node:fs';
import fsp from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { resolve, sep } from 'node:path';

const { FAULT_ROOT, FAULT_AT, FAULT_KIND = 'kill', FAULT_LOG, FAULT_SWITCH } = process.env;
const root = resolve(FAULT_ROOT);
const at = Number(FAULT_AT ?? Number.POSITIVE_INFINITY);
const raw = { ...fs };
const rawPromises = { ...fsp };
/** Paths of what is open: by descriptor, and by FileHandle. */
const byFd = new Map();
const byHandle = new WeakMap();
let step = 0;
/** A full disk refuses what needs room. */
const FULL = ['ENOSPC', 'EDQUOT'];
const FREEING = /^(rm|unlink|rmdir|chmod|fchmod|truncate|ftruncate|f?sync)(Sync)?$/;

const isOurs = (path) => {
  if (typeof path !== 'string') return false;
  const full = resolve(path);
  return full === root || full.startsWith(root + sep);
};

/** Counts a step; ends the process or throws where the fault is. */
function reach(name, path) {
  step++;
  const code = step >= at ? FAULT_KIND : switched();
  const passes = code === undefined || (FULL.includes(code) && FREEING.test(name));
  const mark = passes ? '' : '! ';
  if (FAULT_LOG !== undefined) raw.appendFileSync(FAULT_LOG, `${mark}${name} ${path}\n`);
  if (passes) return;
  if (code === 'kill') {
    process.kill(process.pid, 'SIGKILL');
    // The signal comes before this returns; never go on in any case.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  }
  const error = new Error(`${code}: injected, ${name} '${path}'`);
  throw Object.assign(error, { code, errno: -1, syscall: name, path });
}

function readSwitch() {
  if (FAULT_SWITCH === undefined || !raw.existsSync(FAULT_SWITCH)) return undefined;
  return raw.readFileSync(FAULT_SWITCH, 'utf8').trim();
}

const SLOW = /^slow (\d+)$/;

function switched() {
  const text = readSwitch();
  return text === undefined || SLOW.test(text) ? undefined : text;
}

function slowly() {
  const [, pauseMs = '0'] = SLOW.exec(readSwitch() ?? '') ?? [];
  return new Promise((resolve) => setTimeout(resolve, Number(pauseMs)));
}

const isWriting = (flags) => typeof flags === 'string' && /[wa+]/.test(flags);

/** An operation on paths, of which the last is the one that changes. */
function patchPath(target, originals, name) {
  const original = originals[name];
  const run = (args) => {
    const path = args.slice(0, 2).findLast((arg) => isOurs(arg));
    if (path !== undefined) reach(name, path);
    return original(...args);
  };
  target[name] = target === fsp ? async (...args) => run(args) : (...args) => run(args);
}

const PATH_OPERATIONS = ['rename', 'link', 'unlink', 'rm', 'mkdir', 'rmdir', 'chmod', 'symlink'];
PATH_OPERATIONS.push('truncate', 'copyFile', 'cp', 'appendFile', 'writeFile', 'mkdtemp', 'utimes');
for (const name of PATH_OPERATIONS) {
  patchPath(fsp, rawPromises, name);
  patchPath(fs, raw, `${name}Sync`);
}

fsp.open = async (path, flags, mode) => {
  const writes = isWriting(flags) && isOurs(path);
  if (writes) reach('open', path);
  const handle = await rawPromises.open(path, flags, mode);
  if (isOurs(path)) byHandle.set(handle, path);
  return handle;
};

fs.openSync = (path, flags, mode) => {
  if (isWriting(flags) && isOurs(path)) reach('openSync', path);
  const fd = raw.openSync(path, flags, mode);
  if (isOurs(path)) byFd.set(fd, path);
  return fd;
};

for (const name of ['fsyncSync', 'ftruncateSync', 'fchmodSync', 'writeSync']) {
  fs[name] = (fd, ...args) => {
    if (byFd.has(fd)) reach(name, byFd.get(fd));
    return raw[name](fd, ...args);
  };
}
fs.closeSync = (fd) => {
  byFd.delete(fd);
  return raw.closeSync(fd);
};

const probe = await rawPromises.open('/dev/null', 'r');
const prototype = Object.getPrototypeOf(probe);
await probe.close();
const handles = Object.fromEntries(
  ['write', 'writev', 'writeFile', 'appendFile', 'sync', 'datasync', 'chmod', 'truncate'].map(
    (name) => [name, prototype[name]],
  ),
);
for (const [name, original] of Object.entries(handles)) {
  prototype[name] = async function (...args) {
    const path = byHandle.get(this);
    // writeFile calls write of its own accord: what it does is one operation.
    if (path === undefined || this.faultNested === true) return original.apply(this, args);
    reach(name, path);
    if (name === 'sync' || name === 'datasync') await slowly();
    if (name === 'writeFile') await writeHalf(this, args[0]);
    this.faultNested = true;
    try {
      return await original.apply(this, args);
    } finally {
      this.faultNested = false;
    }
  };
}

/** Writes half of the content where that is where the fault is, which then comes. */
async function writeHalf(handle, content) {
  const path = byHandle.get(handle);
  if (step + 1 >= at) {
    const bytes = Buffer.from(content);
    const half = bytes.subarray(0, Math.floor(bytes.length / 2));
    await handles.write.call(handle, half, 0, half.length, 0);
  }
  reach('half of writeFile', path);
}

syncBuiltinESMExports();
