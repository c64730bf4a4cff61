// Stands in for `systemctl` on a test's host: starts the lines of installed units as they stand, as
// their users and with what they say of environment, state, credentials, umask and capabilities.
// No systemd is started: one that shares a machine's folders would clean them (decision 040).
import { execFileSync, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';

const UNITS = '/etc/systemd/system';
const STATE = '/var/lib/systemctl-of-a-test';
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** Of the range that systemd takes dynamic users from. */
const DYNAMIC_USER = 61_184;
const MARK = '/etc/host-of-a-test';
/** prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN), which this kernel may not know. */
const DENY =
  'import ctypes,os,sys;ctypes.CDLL(None).prctl(65,1,0,0,0);os.execvp(sys.argv[1],sys.argv[1:])';

if (!fs.existsSync(MARK)) throw new Error(`expected to run on a host of a test (${MARK})`);
const [verb, ...words] = process.argv.slice(2);
const units = words.filter((word) => !word.startsWith('-'));
fs.mkdirSync(STATE, { recursive: true });
for (const unit of units) await act(unit);

async function act(unit) {
  if (verb === 'enable' && words.includes('--now')) start(unit);
  else if (verb === 'start') start(unit);
  else if (verb === 'stop') await stop(unit);
  else if (verb === 'restart') await stop(unit).then(() => start(unit));
  else if (verb === 'reload') reload(unit);
  else throw new Error(`no such verb here: ${verb}`);
}

/** @returns each key's values, in the order of the file and of its drop-ins. */
function read(unit) {
  const [name, instance = ''] = unit.split('@');
  const file = join(UNITS, unit.includes('@') ? `${name}@.service` : `${name}.service`);
  const more = `${file}.d`;
  const dropIns = fs.existsSync(more) ? fs.readdirSync(more).map((one) => join(more, one)) : [];
  const values = new Map();
  for (const path of [file, ...dropIns]) {
    for (const line of fs.readFileSync(path, 'utf8').split('\n')) {
      const [, key, value] = /^(\w+)=(.*)$/.exec(line) ?? [];
      if (key === undefined) continue;
      const full = value.replaceAll('%i', instance).replaceAll('%d', join(STATE, unit));
      values.set(key, [...(values.get(key) ?? []), full]);
    }
  }
  return { all: (key) => values.get(key) ?? [], one: (key) => values.get(key)?.at(-1) };
}

function start(unit) {
  const { all, one } = read(unit);
  const id = (flag) =>
    one('DynamicUser') === 'yes'
      ? DYNAMIC_USER
      : Number(execFileSync('id', [flag, one('User')]).toString());
  const [uid, gid] = [id('-u'), id('-g')];
  const give = (path, mode) => {
    fs.chownSync(path, uid, gid);
    fs.chmodSync(path, mode);
  };
  for (const name of all('StateDirectory')) {
    const path = join('/var/lib', name);
    fs.mkdirSync(path, { recursive: true });
    give(path, Number.parseInt(one('StateDirectoryMode'), 8));
  }
  for (const credential of all('LoadCredential')) {
    const [name, from] = credential.split(':');
    const to = join(STATE, unit, name);
    fs.mkdirSync(dirname(to), { recursive: true });
    fs.copyFileSync(from, to);
    give(to, 0o400);
    give(dirname(to), 0o500);
  }
  const caps = (key) => {
    const named = (one(key) ?? '').split(' ').filter((cap) => cap !== '');
    return ['-all', ...named.map((cap) => `+${cap.replace('CAP_', '').toLowerCase()}`)].join(',');
  };
  const ambient = caps('AmbientCapabilities');
  const rights = [`--inh-caps=${ambient}`, `--ambient-caps=${ambient}`];
  const bounds = [`--bounding-set=${caps('CapabilityBoundingSet')}`, '--no-new-privs'];
  const user = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'];
  const deny = one('MemoryDenyWriteExecute') === 'yes' ? ['python3', '-c', DENY] : [];
  const line = toWords(one('ExecStart'));
  const log = fs.openSync(join(STATE, `${unit}.log`), 'a');
  process.umask(Number.parseInt(one('UMask'), 8));
  const pairs = all('Environment').map((pair) => pair.replace(/^"(.*)"$/, '$1').split(/=(.*)/s));
  const options = {
    cwd: '/',
    env: { PATH, ...Object.fromEntries(pairs) },
    stdio: ['ignore', log, log],
  };
  const args = [...user, ...rights, ...bounds, ...deny, ...line];
  if (isOneshot(unit)) {
    execFileSync('setpriv', args, options);
    return;
  }
  const child = spawn('setpriv', args, { ...options, detached: true });
  fs.writeFileSync(join(STATE, `${unit}.pid`), String(child.pid));
  child.unref();
}

function isOneshot(unit) {
  return read(unit).one('Type') === 'oneshot';
}

/** As systemd takes a line apart, as far as ours go. */
function toWords(line) {
  const words = line.match(/'[^']*'|\S+/g) ?? [];
  return words.map((word) => word.replace(/^'(.*)'$/, '$1').replaceAll('$$', '$$'));
}

function pidOf(unit) {
  return Number(fs.readFileSync(join(STATE, `${unit}.pid`), 'utf8'));
}

async function stop(unit) {
  if (isOneshot(unit)) {
    if (read(unit).one('ExecStop') !== undefined) throw new Error('no ExecStop is run here');
    return;
  }
  const pid = pidOf(unit);
  process.kill(pid, 'SIGTERM');
  // Nobody waits for it here, so that it stays a zombie where its first process doesn't either.
  const runs = () =>
    fs.existsSync(`/proc/${pid}`) && !/\) Z /.test(fs.readFileSync(`/proc/${pid}/stat`, 'utf8'));
  while (runs()) execFileSync('sleep', ['0.1']);
}

function reload(unit) {
  const line = read(unit)
    .one('ExecReload')
    .replace('$MAINPID', String(pidOf(unit)));
  execFileSync('/bin/sh', ['-c', line]);
}
