// `npm run suite:xds`: the public protocol suite of github.com/ii/xds-test-harness against the
// library: 98 scenarios over four variants (state of the world and delta, aggregated or not), some
// 13 minutes. Needs Go, git and Python with pip; `--suite <folder>` is a clone that is there
// already. Prints how many passed, and the suite's own report where one didn't; exits 1 unless
// every scenario passed.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const SOURCE = 'https://github.com/ii/xds-test-harness';
const COMMIT = 'f1a479f419c8d684408375973cbb4b9dc79520a8';
const SCENARIOS = 98;
const PLUGINS = [
  'google.golang.org/protobuf/cmd/protoc-gen-go@v1.28.0',
  'google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.2.0',
];
const TIMEOUT_MS = 20 * 60_000;

const cache = fileURLToPath(new URL('../../.cache/xds-suite/', import.meta.url));
const target = fileURLToPath(new URL('target.mjs', import.meta.url));

function run(command, args, options = {}) {
  const stdio = ['ignore', 'pipe', 'inherit'];
  return execFileSync(command, args, { stdio, timeout: TIMEOUT_MS, encoding: 'utf8', ...options });
}

/** A clone of the suite, in which the code of its Adapter service is generated and built. */
function build(given) {
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, 'run-'));
  if (given === undefined) {
    run('git', ['clone', '--quiet', SOURCE, work]);
    run('git', ['checkout', '--quiet', COMMIT], { cwd: work });
  } else {
    cpSync(given, work, { recursive: true });
  }
  const bin = join(cache, 'bin');
  for (const plugin of PLUGINS)
    run('go', ['install', plugin], { env: { ...process.env, GOBIN: bin } });
  const python = join(cache, 'python');
  if (!existsSync(python)) {
    run('python3', ['-m', 'pip', 'install', '--quiet', '--target', python, 'grpcio-tools']);
  }
  const relative = ['--go_opt=paths=source_relative', '--go-grpc_opt=paths=source_relative'];
  const out = ['-I.', '--go_out=.', '--go-grpc_out=.', ...relative, 'api/adapter/adapter.proto'];
  run('python3', ['-m', 'grpc_tools.protoc', ...out], {
    cwd: work,
    env: { ...process.env, PYTHONPATH: python, PATH: `${bin}:${process.env.PATH}` },
  });
  run('go', ['build', '-o', 'suite', '.'], { cwd: work });
  return work;
}

/** Two ports that nobody listens on now: the suite wants to know them beforehand. */
async function freePorts() {
  const servers = [createServer(), createServer()];
  for (const server of servers) {
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  }
  const ports = servers.map((server) => server.address().port);
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  return ports;
}

async function startTarget(ports, suite) {
  const child = spawn(process.execPath, [target, ...ports.map(String), suite], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ready = new Promise((resolve) => child.stdout.once('data', () => resolve(true)));
  const ended = new Promise((resolve) => child.once('exit', () => resolve(false)));
  if (!(await Promise.race([ready, ended])))
    throw new Error('the target ended before it was ready');
  return child;
}

const { values } = parseArgs({ options: { suite: { type: 'string' } } });
const suite = build(values.suite);
try {
  const ports = await freePorts();
  const [xdsPort, adapterPort] = ports;
  const child = await startTarget(ports, suite);
  try {
    const args = ['--target', `:${xdsPort}`, '--adapter', `:${adapterPort}`];
    const { stdout, stderr } = spawnSync('./suite', args, {
      cwd: suite,
      encoding: 'utf8',
      timeout: TIMEOUT_MS,
    });
    // A line for each scenario; its report counts steps.
    const count = (word) => stderr.split('\n').filter((line) => line.includes(word)).length;
    const passed = count('PASSED');
    if (passed !== SCENARIOS) {
      process.stderr.write(`${stderr}${stdout}`);
      process.exitCode = 1;
    }
    process.stdout.write(`${passed} of ${SCENARIOS} scenarios passed, ${count('FAILED')} failed\n`);
  } finally {
    child.kill();
  }
} finally {
  rmSync(suite, { recursive: true, force: true });
}
