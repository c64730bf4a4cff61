// The processes of a benchmark: started here, ended here, by their own handles.
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { nowMs } from './measure.mjs';

/** The built program; COUNTERSIGN_DIST is another build of it, as a URL with a slash at its end. */
export const DIST = new URL(process.env.COUNTERSIGN_DIST ?? '../dist/', import.meta.url);
export const distPath = (name) => fileURLToPath(new URL(name, DIST));
export const benchPath = (name) => fileURLToPath(new URL(name, import.meta.url));

/** So that memory can be measured after a collection. */
export const COLLECTABLE = [
  '--expose-gc',
  '--import',
  new URL('gc-on-signal.mjs', import.meta.url).href,
];

const START_LIMIT_MS = 30_000;
const STOP_LIMIT_MS = 10_000;
const MESSAGE_LIMIT_MS = 120_000;
const running = new Set();

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130));

function track(child) {
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

/** Ends a child: asked first, then made to. */
export async function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
  await exited;
  clearTimeout(timer);
}

/** `node` with these arguments until it ends; how long that took, in milliseconds. */
export async function timeNode(args, options = {}) {
  const startMs = nowMs();
  const child = track(spawn(process.execPath, args, { stdio: 'ignore', ...options }));
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`node ${args.join(' ')} ended with code ${code}`);
  return nowMs() - startMs;
}

/** `countersign <args>` to its end; its standard output. */
export async function runCountersign(args) {
  const child = track(spawn(process.execPath, [distPath('cli/main.js'), ...args]));
  const text = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) {
    child[name].setEncoding('utf8').on('data', (chunk) => {
      text[name] += chunk;
    });
  }
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`countersign ${args.join(' ')}: code ${code}\n${text.stderr}`);
  return text.stdout.trim();
}

/**
 * `countersign serve`. `ready` resolves with the time of the ready line and the addresses in it.
 * Problems (`--log-level error`) go to this process' standard error.
 */
export function startCountersign({ meshPath, dataPath, xds = '127.0.0.1:0', nodeArgs = [] }) {
  const args = ['--mesh', meshPath, '--data', dataPath, '--xds', xds, '--admin', '127.0.0.1:0'];
  const startedMs = nowMs();
  const child = track(
    spawn(
      process.execPath,
      [...nodeArgs, distPath('cli/main.js'), 'serve', ...args, '--log-level', 'error'],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    ),
  );
  let text = '';
  const ready = new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the server is not ready')), START_LIMIT_MS);
    child.once('exit', (code) => reject(new Error(`the server ended with code ${code}`)));
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
      const match = /^ready: xds (\S+), admin ([^,\s]+)/m.exec(text);
      if (match === null) return;
      clearTimeout(timer);
      resolve({ atMs: nowMs(), xds: match[1], admin: match[2] });
    });
  });
  ready.catch(() => undefined);
  return { child, startedMs, ready };
}

/** In such a script: its options, which are its first message. It ends with the benchmark. */
export async function receiveOptions() {
  process.on('disconnect', () => process.exit(1));
  const [options] = await once(process, 'message');
  return options;
}

/** A script of this folder as a process of its own that sends messages; `next` is the next one. */
export function startScript(name, { options, nodeArgs = [] }) {
  const child = track(fork(benchPath(name), [], { execArgv: nodeArgs }));
  child.send(options);
  const queue = [];
  const waiting = [];
  child.on('message', (message) => {
    const next = waiting.shift();
    if (next === undefined) queue.push(message);
    else next.resolve(message);
  });
  child.once('exit', (code) => {
    const error = new Error(`${name} ended with code ${code}`);
    for (const { reject } of waiting.splice(0)) reject(error);
  });
  return {
    child,
    send: (message) => child.send(message),
    next: (limitMs = MESSAGE_LIMIT_MS) => {
      if (queue.length > 0) return Promise.resolve(queue.shift());
      return new Promise((resolve, reject) => {
        const late = () => reject(new Error(`${name} said nothing for ${limitMs} ms`));
        const timer = setTimeout(late, limitMs);
        waiting.push({
          resolve: (message) => resolve(message, clearTimeout(timer)),
          reject: (error) => reject(error, clearTimeout(timer)),
        });
      });
    },
  };
}

/** A port of 127.0.0.1 that is free now. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
