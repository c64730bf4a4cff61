// What run.sh does when it is told to stop, with a program in the place of Envoy: it listens at the
// mesh port, and closes that when it is asked for, as Envoy does when the server answers.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { toRunScript } from '../../src/cli/run-script.js';
import { createAddressPool } from '../../src/demo/addresses.js';
import { DEPARTING_ROUTE } from '../../src/drains/index.js';
import { startProcess, type TestProcess } from '../harness/process.js';

const ENVOY = `#!/usr/bin/env node
const { createServer } = require('node:net');
const { readFileSync } = require('node:fs');
const { ADDRESS, LISTENS, ANSWERS, EXITS } = process.env;
if (EXITS) process.exit(Number(EXITS));
const added = process.argv[process.argv.indexOf('--config-yaml') + 1];
const path = /"path":"([^"]+)"/.exec(added)?.[1];
const server = createServer((socket) => socket.on('error', () => {}));
let asked = false;
setInterval(() => {
  if (asked || !readFileSync(path, 'utf8').includes('${DEPARTING_ROUTE}')) return;
  asked = true;
  console.log('asked');
  if (ANSWERS) server.close();
}, 20);
const ready = () => console.log('ready');
if (LISTENS) server.listen(15443, ADDRESS, ready);
else ready();
process.on('SIGTERM', () => {
  console.log('ended');
  process.exit(0);
});
`;

let dir: string;
let address: string;
let close: () => Promise<void>;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'countersign-run-'));
  writeFileSync(join(dir, 'run.sh'), toRunScript('envoy.json'), { mode: 0o755 });
  writeFileSync(join(dir, 'envoy'), ENVOY, { mode: 0o755 });
  const pool = await createAddressPool();
  address = pool.address();
  close = () => pool.close();
});

afterEach(async () => {
  await close();
  rmSync(dir, { recursive: true });
});

async function start(
  env: NodeJS.ProcessEnv = {},
  args: readonly string[] = [],
): Promise<TestProcess> {
  const own = { ENVOY: './envoy', TMPDIR: dir, ADDRESS: address, STOP_WITHIN: '60' };
  return startProcess({
    ...{ name: 'run.sh', command: join(dir, 'run.sh'), args },
    ...{ cwd: '/', env: { ...process.env, ...own, ...env } },
  });
}

/** Resolves when it is open; the result closes it. */
function connect(): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: address, port: 15443 });
    socket.on('error', reject);
    socket.once('connect', () => resolve(() => socket.end()));
  });
}

async function expectEnd({ ended }: TestProcess, code = 0): Promise<string> {
  const end = await ended;
  expect({ code: end.code, signal: end.signal }).toEqual({ code, signal: null });
  return end.stdout;
}

test('it says that it goes, and ends when what is open has ended', async () => {
  const running = await start({ LISTENS: '1', ANSWERS: '1' });
  await running.printed(/ready/);
  const end = await connect();
  process.kill(running.child.pid, 'SIGTERM');
  await running.printed(/asked/);
  expect(running.child.running).toBe(true);
  end();
  expect(await expectEnd(running)).toBe('ready\nasked\nended\n');
});

test('what is open is cut when the time is up', async () => {
  const running = await start({ LISTENS: '1', ANSWERS: '1', STOP_WITHIN: '2' });
  await running.printed(/ready/);
  await connect();
  process.kill(running.child.pid, 'SIGTERM');
  expect(await expectEnd(running)).toBe('ready\nasked\nended\n');
});

test('a server that does not answer is not waited for', async () => {
  const running = await start({ LISTENS: '1', STOP_WITHIN: '1' });
  await running.printed(/ready/);
  process.kill(running.child.pid, 'SIGTERM');
  // Perhaps too soon for it to have looked.
  expect(await expectEnd(running)).toMatch(/^ready\n(asked\n)?ended\n$/);
});

test('a second SIGTERM ends it at once', async () => {
  const running = await start({ LISTENS: '1', ANSWERS: '1' });
  await running.printed(/ready/);
  await connect();
  process.kill(running.child.pid, 'SIGTERM');
  await running.printed(/asked/);
  process.kill(running.child.pid, 'SIGTERM');
  expect(await expectEnd(running)).toBe('ready\nasked\nended\n');
});

test('where nobody can call it, it ends without asking', async () => {
  const running = await start();
  await running.printed(/ready/);
  process.kill(running.child.pid, 'SIGTERM');
  expect(await expectEnd(running)).toBe('ready\nended\n');
});

test('it ends as its Envoy did, and leaves nothing', async () => {
  await expectEnd(await start({ EXITS: '3' }), 3);
  expect(readdirSync(dir).sort()).toEqual(['envoy', 'run.sh']);
});

test('where a --config-yaml is given it says that it will not, and starts Envoy', async () => {
  const running = await start({}, ['--config-yaml', '{"path":"/dev/null"}']);
  await running.printed(/ready/);
  process.kill(running.child.pid, 'SIGTERM');
  const { stderr } = await running.ended;
  expect(stderr).toBe(
    'run.sh: a stop will not be announced, because of --config-yaml, which it needs itself\n',
  );
});
