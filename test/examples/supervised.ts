// A caller and a callee whose sidecars are started by the supervise.sh of their folders: one of
// each, so that nobody else could answer.
import { readFileSync, symlinkSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Child } from '../../src/demo/child.js';
import type { Load } from '../../src/demo/load.js';
import { httpShot } from '../../src/demo/load-shots.js';
import { eventually } from '../../src/demo/wait.js';
import type { Harness } from '../harness/index.js';
import { startMesh, type TestMesh } from '../harness/start-mesh.js';
import { tcpShot } from '../harness/tcp-shot.js';

const HTTP = 8080;
const TCP = 6000;
/** Long after the last answer on an old connection; by itself an old Envoy goes after 900 s. */
const FLAGS = ['--parent-shutdown-time-s', '4', '--concurrency', '1', '--log-level', 'warning'];

export interface Supervised {
  readonly mesh: TestMesh;
  readonly web: Child;
  readonly ledger: Child;
  /** Of the callee's sidecar. */
  readonly folder: string;
  /** Puts another Envoy in the place of the one that the callee's sidecar is started with. */
  install(path: string): Promise<void>;
  /** Starts one more for the callee. */
  start(): Promise<Child>;
  startLoads(): readonly Load[];
}

export async function startSupervised(harness: Harness, binary: string): Promise<Supervised> {
  const mesh = await startMesh(harness, {
    binary,
    services: {
      web: [],
      ledger: [
        { port: HTTP, kind: 'http' },
        { port: TCP, kind: 'tcp' },
      ],
    },
    mesh: (service) => `
trustDomain: test.example
services:
  web: {}
  ledger:
    ports:
      ${HTTP}: { protocol: http, target: "${service('ledger').target(HTTP)}" }
      ${TCP}: { protocol: tcp, target: "${service('ledger').target(TCP)}" }
`,
  });
  const install = (path: string): Promise<void> => replaceLink(join(mesh.dir, 'envoy'), path);
  await install(binary);
  const envoys = { web: binary, ledger: join(mesh.dir, 'envoy') };
  const start = async (name: 'web' | 'ledger'): Promise<Child> => {
    const out = join(mesh.dir, `of ${name}`);
    const { address, outbound } = mesh.service(name);
    const { host, port } = mesh.server().xdsAddress;
    const where = ['--address', address, '--outbound', outbound, '--xds', `${host}:${port}`];
    await harness.command(['bootstrap', name, ...where, '--out', out, '--data', mesh.dataPath]);
    const env = { ...process.env, ENVOY: envoys[name] };
    const command = join(out, 'supervise.sh');
    const options = { name: `supervise.sh of ${name}`, command, args: FLAGS, env, cwd: '/' };
    return (await harness.process(options)).child;
  };
  const [web, ledger] = await Promise.all([start('web'), start('ledger')]);
  const both = async (): Promise<boolean> => (await mesh.status()).proxies.length === 2;
  await eventually(both, { what: 'both sidecars', timeoutMs: 20_000 });
  expect(await mesh.wait()).toMatchObject({ inForce: true });
  const address = await mesh.outboundAddress('web', 'ledger');
  const startLoads = (): readonly Load[] => [
    harness.load({ shot: httpShot({ address, port: HTTP }, 'keep-alive'), concurrency: 4 }),
    harness.load({ shot: httpShot({ address, port: HTTP }, 'per-request') }),
    harness.load({ shot: tcpShot({ address, port: TCP }, 'per-request') }),
  ];
  const folder = join(mesh.dir, 'of ledger');
  return { mesh, web, ledger, folder, install, start: () => start('ledger'), startLoads };
}

async function replaceLink(path: string, target: string): Promise<void> {
  symlinkSync(target, `${path}.new`);
  await rename(`${path}.new`, path);
}

/** Sends SIGHUP, and waits until it says that a new Envoy takes over. */
export async function replace(sidecar: Child): Promise<void> {
  const told = (): number => sidecar.log().filter((line) => /takes over from/.test(line)).length;
  const before = told();
  sidecar.signal('SIGHUP');
  await eventually(() => told() > before, { what: 'a successor', timeoutMs: 20_000 });
}

/** Pids of the Envoys that are children of it. */
export function envoysOf({ pid }: Child): readonly number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return children
    .split(' ')
    .map(Number)
    .filter((child) => child > 0 && readFileSync(`/proc/${child}/comm`, 'utf8') !== 'sleep\n');
}

/** Until the Envoy before the last is gone. */
export async function isAlone(sidecar: Child): Promise<void> {
  await eventually(() => envoysOf(sidecar).length === 1, {
    what: `one Envoy of ${sidecar.name}`,
    timeoutMs: 20_000,
  });
}

export async function expectNoneLost(loads: readonly Load[]): Promise<void> {
  for (const load of loads) {
    await load.more(100, 20_000);
    const { failures, errors, answers } = await load.stop();
    const bad = Object.keys(answers).filter((answer) => /^[45]/.test(answer));
    expect({ failures, errors, bad }).toEqual({ failures: 0, errors: [], bad: [] });
  }
}
