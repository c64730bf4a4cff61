// The mesh of the test of transparent capture: a server outside, and pods whose rules, sidecars and
// applications are started one by one.
import { execFile, execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { loadOrCreateAnchorPem, XDS_SERVER_NAME } from '../../src/ca/xds/index.js';
import { toProtoJson } from '../../src/cli/proto-json.js';
import type { EchoAnswer } from '../../src/demo/echo-app.js';
import type { EnvoyProcess } from '../../src/demo/envoy-process.js';
import { type HttpAnswer, type HttpCall, httpCall } from '../../src/demo/http-client.js';
import { tryXfcc } from '../../src/demo/run-demo-evidence.js';
import { envoy as proto } from '../../src/gen/bootstrap.js';
import { createTokenKeys } from '../../src/tokens/index.js';
import { toBootstrap } from '../../src/translate/bootstrap/index.js';
import { ForwardClock } from '../fakes/forward-clock.js';
import type { Harness } from '../harness/index.js';
import { OUTSIDE, type Pod, startPod } from '../harness/pods.js';
import { PROGRAM } from '../harness/process.js';
import { leafOf, startTestServer } from '../harness/running-server.js';

const DIST = fileURLToPath(new URL('../../dist/', import.meta.url));
/** Envoy's, and the agents': left alone by the rules. */
const PORTS = { envoy: 9901, agent: 9902, sidecarAgent: 9903 } as const;
const EXCLUDE = `22,${Object.values(PORTS).join(',')}`;
const SIDECAR_UID = 10_001;

/** Makes calls where it runs: over HTTP, over TCP, and on a connection that it keeps. */
const AGENT = `
import { createServer } from 'node:http';
import { connect } from 'node:net';
const [dist, address, port] = process.argv.slice(1);
const { httpCall } = await import(dist + 'demo/http-client.js');
const { tcpExchange } = await import(dist + 'demo/tcp-client.js');
let kept;
const say = (text) => new Promise((resolve) => {
  if (kept.destroyed) return resolve('closed');
  kept.once('data', (data) => resolve(String(data))).once('close', () => resolve('closed'));
  kept.write(text);
});
const does = {
  http: (target) => httpCall({ ...target, timeoutMs: 3000 }),
  tcp: async (target) => (await tcpExchange({ ...target, send: 'ping', timeoutMs: 3000 })).received,
  keep: (target) => {
    kept = connect(target.port, target.address).on('error', () => kept.destroy());
    return say('kept');
  },
  again: () => say('again'),
};
createServer((request, response) => {
  const [, kind, host, to] = request.url.split('/').map(decodeURIComponent);
  const failed = (error) => ({ error: error.code ?? error.message });
  does[kind]({ address: host, port: Number(to) }).catch(failed).then((answer) => {
    response.end(JSON.stringify(answer));
  });
}).listen(Number(port), address, () => console.log('agent listens'));
`;

export const UNDECLARED = 9_999;

export interface CaptureStage {
  readonly web: Pod;
  readonly ledger: Pod;
  /** Of another instance of the ledger, without rules. */
  readonly second: Pod;
  readonly mesh: CaptureMesh;
  /** Calls from web's application, from web's sidecar's user, and from the ledger's application. */
  readonly agent: Agent;
  readonly ofSidecar: Agent;
  readonly ofLedger: Agent;
  /** Web's is registered at its IPv6 address. */
  startSidecars(): Promise<Readonly<Record<'web' | 'ledger', EnvoyProcess>>>;
  /** How web's sidecar took changes of its listeners. */
  updates(): Promise<{ inPlace: number; modified: number; draining: number }>;
  dryRun(pod: Pod): Promise<string>;
}

/** Applications and agents, in pods without rules. */
export async function startCaptureStage(
  harness: Harness,
  { binary, text }: { readonly binary: string; readonly text: string },
): Promise<CaptureStage> {
  const [web, ledger, second] = (await Promise.all(
    [2, 3, 4].map((number) => startPod(harness, number)),
  )) as [Pod, Pod, Pod];
  const [mesh, agent, ofSidecar, ofLedger] = await Promise.all([
    startCaptureMesh(harness, { binary, text }),
    startAgent(harness, web, 0),
    startAgent(harness, web, SIDECAR_UID),
    startAgent(harness, ledger, 0),
    startApplication(harness, web, { kind: 'http', name: 'web', port: 8080 }),
    startApplication(harness, ledger, { kind: 'http', name: 'ledger', port: 8080 }),
    startApplication(harness, ledger, { kind: 'http', name: 'undeclared', port: UNDECLARED }),
    startApplication(harness, ledger, { kind: 'tcp', name: 'ledger', port: 6000 }),
    startApplication(harness, second, { kind: 'http', name: 'second', port: 8080 }),
    harness.echoHttp({ name: 'outside', address: OUTSIDE.v4, port: 7000 }),
  ]);
  let ofWeb: EnvoyProcess | undefined;
  const stat = async (name: string): Promise<number> => (await ofWeb?.admin.stat(name)) ?? 0;
  return {
    ...{ web, ledger, second, mesh, agent, ofSidecar, ofLedger },
    async startSidecars() {
      const [own, other] = await Promise.all([
        mesh.sidecar('web', web, web.v6),
        mesh.sidecar('ledger', ledger),
      ]);
      ofWeb = own;
      return { web: own, ledger: other };
    },
    updates: async () => ({
      inPlace: await stat('listener_manager.listener_in_place_updated'),
      modified: await stat('listener_manager.listener_modified'),
      draining: await stat('listener_manager.total_filter_chains_draining'),
    }),
    dryRun: (pod) => capture(pod, '--dry-run', '--exclude', EXCLUDE),
  };
}

export interface CaptureMesh {
  readonly clock: ForwardClock;
  /** Replaces mesh.yaml, and waits until it is in force everywhere; else says why not. */
  edit(text: string): Promise<string>;
  wait(): Promise<string>;
  sidecar(service: string, pod: Pod, address?: string): Promise<EnvoyProcess>;
  /** Key, chain and trust anchors of a client without a sidecar. */
  certificate(service: string): Promise<{ key: string; cert: string; ca: string }>;
}

async function startCaptureMesh(
  harness: Harness,
  { binary, text }: { readonly binary: string; readonly text: string },
): Promise<CaptureMesh> {
  const clock = new ForwardClock();
  const xds = { host: OUTSIDE.v4, port: 0 };
  const time = { clock, uptime: clock.uptime };
  const test = await startTestServer(text, undefined, { xds, ...time });
  harness.defer('server', () => test.close());
  harness.onDump('server.log', () => test.log.map((entry) => JSON.stringify(entry)).join('\n'));
  harness.onDump('status.json', async () => JSON.stringify(await test.status(), undefined, 1));
  const keys = await createTokenKeys(test.identity);
  const xdsAnchorPem = await loadOrCreateAnchorPem(test.identity);
  const wait = async (): Promise<string> => {
    const answer = JSON.parse(await test.get('/v1/wait?timeout_ms=15000')) as { inForce: boolean };
    return answer.inForce ? 'in force' : JSON.stringify(answer);
  };
  const bootstrap = (service: string, address: string, adminAddress: string): object => {
    const audience = 'countersign-xds' as const;
    const { token } = keys.sign({ audience, subject: service, ttlMs: 3_600_000 });
    const message = toBootstrap({
      ...{ service, address, xds: test.server.xdsAddress, xdsAnchorPem },
      xdsServerName: XDS_SERVER_NAME,
      token: { kind: 'inline', token },
    });
    const bytes = proto.config.bootstrap.v3.Bootstrap.encode(message).finish();
    const socket = { address: adminAddress, port_value: PORTS.envoy };
    const admin = { address: { socket_address: socket } };
    return { ...toProtoJson('envoy.config.bootstrap.v3.Bootstrap', bytes), admin };
  };
  return {
    ...{ clock, wait },
    async edit(next) {
      await writeFile(test.meshPath, `trustDomain: test.example\n${next}\n`);
      return wait();
    },
    async sidecar(service, pod, address = pod.v4) {
      const envoy = await harness.envoy({
        name: `${service}-${address}`,
        binary: await pod.wrap(binary, SIDECAR_UID),
        bootstrap: bootstrap(service, address, pod.v4),
      });
      await envoy.waitReady();
      return envoy;
    },
    async certificate(service) {
      const leaf = await leafOf(test.authority, service);
      return { key: leaf.keyPem, cert: leaf.chainPem, ca: test.authority.trustAnchorsPem };
    },
  };
}

const exec = promisify(execFile);

/** `countersign capture` with these words; what it says. */
export async function capture(pod: Pod, ...words: readonly string[]): Promise<string> {
  const [enter, ...args] = pod.enter;
  const all = [...args, process.execPath, PROGRAM, 'capture', ...words];
  return (await exec(enter, all, { encoding: 'utf8' })).stdout;
}

/** For both directions. */
export function setRules(pod: Pod): Promise<string> {
  return capture(pod, '--uid', String(SIDECAR_UID), '--exclude', EXCLUDE);
}

/** How many rules there are in that pod, of all tables. */
export function countRules(pod: Pod): number {
  const [enter, ...args] = pod.enter;
  const text = execFileSync(enter, [...args, 'nft', 'list', 'ruleset'], { encoding: 'utf8' });
  return text.split('\n').length;
}

/** On every address of both families, and as root, who isn't the sidecar. */
async function startApplication(
  harness: Harness,
  pod: Pod,
  application: { readonly kind: 'http' | 'tcp'; readonly name: string; readonly port: number },
): Promise<void> {
  const [command, ...enter] = pod.enter;
  const { kind, name, port } = application;
  const words = [kind, name, '::', String(port)];
  const args = [...enter, process.execPath, `${DIST}demo/echo-main.js`, ...words];
  const started = await harness.process({ name: `${name} ${port}`, command, args });
  await started.printed(/listens/);
}

export interface Agent {
  http(address: string, port: number): Promise<string>;
  tcp(address: string, port: number): Promise<string>;
  /** Opens a connection and keeps it. */
  keep(address: string, port: number): Promise<string>;
  /** What comes back on it now. */
  again(): Promise<string>;
}

async function startAgent(harness: Harness, pod: Pod, uid: 0 | typeof SIDECAR_UID): Promise<Agent> {
  const port = uid === 0 ? PORTS.agent : PORTS.sidecarAgent;
  const command = await pod.wrap(process.execPath, uid);
  const args = ['--input-type=module', '-e', AGENT, DIST, pod.v4, String(port)];
  const started = await harness.process({ name: `agent ${pod.v4} ${uid}`, command, args });
  await started.printed(/listens/);
  const ask = async (...words: readonly string[]): Promise<unknown> => {
    const path = `/${words.map(encodeURIComponent).join('/')}`;
    return JSON.parse((await httpCall({ address: pod.v4, port, path, timeoutMs: 8_000 })).body);
  };
  const toText = (answer: unknown): string =>
    typeof answer === 'string' ? answer : (answer as { error: string }).error;
  return {
    async http(address, to) {
      const answer = (await ask('http', address, String(to))) as HttpAnswer & { error?: string };
      return answer.error ?? toOutcome(answer);
    },
    tcp: async (address, to) => toText(await ask('tcp', address, String(to))),
    keep: async (address, to) => toText(await ask('keep', address, String(to))),
    again: async () => toText(await ask('again')),
  };
}

/** By a stranger outside. */
export async function stranger(call: HttpCall): Promise<string> {
  try {
    return toOutcome(await httpCall({ timeoutMs: 3_000, ...call }));
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

/** `200 of ledger, by web` or, without an identity, from where the application was called. */
function toOutcome({ status, body }: HttpAnswer): string {
  if (status !== 200) return String(status);
  const { service, headers, peer } = JSON.parse(body) as EchoAnswer;
  const by = tryXfcc(headers['x-forwarded-client-cert'])?.uri.split('/').at(-1);
  const from = peer.replace(/:\d+$/, '').replace(/^::ffff:/, '');
  return `200 of ${service}, ${by === undefined ? `by nobody from ${from}` : `by ${by}`}`;
}
