// The steps that change the mesh while it carries traffic. The promise is the same each time: a
// caller that has permission before and after the change loses no request to it.

import { httpCall } from './http-client.js';
import { type Load, type LoadResult, startLoad } from './load.js';
import { httpShot } from './load-shots.js';
import { type LeafInUse, readLeaves, readUnmatched, toSerial } from './run-demo-evidence.js';
import type { DemoMesh, DemoNode } from './run-demo-mesh.js';
import { TO_SHORT_LEAVES, TO_STRICT } from './run-demo-quickstart.js';
import type { Notes } from './run-demo-report.js';
import { callPlain, LEDGER_ID, type Step, toLedger } from './run-demo-steps.js';
import type { TlsOptions } from './tls-client.js';
import { eventually } from './wait.js';

const CONCURRENCY = 2;
const PAUSE_MS = 10;
/** Requests of each load before a change and after it. */
const AROUND = 50;
const RENEWAL_TIMEOUT_MS = 30_000;

/** Two kinds of callers of the ledger, both as web. */
interface Traffic {
  /** Through web's sidecar, over its pooled mTLS connection. */
  readonly sidecar: Load;
  /** Without a sidecar, each request on a connection and handshake of its own. */
  readonly handshakes: Load;
}

/** Runs `change` between requests of both loads. @returns how many there were */
async function underTraffic(
  mesh: DemoMesh,
  notes: Notes,
  change: (tls: TlsOptions) => Promise<void>,
): Promise<number> {
  const ledger = mesh.node('payments/ledger');
  const address = await mesh.addressOf('payments/ledger', 'web');
  const tls = toLedger((await mesh.certificate('web')).tls);
  const shared = { port: ledger.port, path: '/accounts' };
  const start = (shot: ReturnType<typeof httpShot>): Load =>
    startLoad({ shot, concurrency: CONCURRENCY, pauseMs: PAUSE_MS });
  const traffic: Traffic = {
    sidecar: start(httpShot({ ...shared, address }, 'keep-alive')),
    handshakes: start(httpShot({ ...shared, address: ledger.address, tls }, 'per-request')),
  };
  const loads = [traffic.sidecar, traffic.handshakes];
  try {
    await Promise.all(loads.map((load) => load.more(AROUND)));
    await change(tls);
    await Promise.all(loads.map((load) => load.more(AROUND)));
  } finally {
    await Promise.all(loads.map((load) => load.stop()));
  }
  const total = report(notes, "web's sidecar", traffic.sidecar.result());
  return total + report(notes, 'new handshake each', traffic.handshakes.result());
}

function report({ saw }: Notes, who: string, result: LoadResult): number {
  const { requests, failures, answers, errors } = result;
  const good = answers['200'] ?? 0;
  const others = requests - good;
  const why = others === 0 ? '' : ` (${JSON.stringify(answers)} ${errors.join('; ')})`;
  saw(who, `${requests} requests meanwhile, ${others} failed${why}`, failures + others === 0);
  return requests;
}

export const toStrictLive: Step = async (mesh, notes) => {
  const { does, saw } = notes;
  const ledger = mesh.node('payments/ledger');
  does('web calls the ledger all the time; in mesh.yaml the port goes from permissive to strict');
  const requests = await underTraffic(mesh, notes, async () => {
    const before = await callPlain(ledger, '/public/rates');
    saw('the caller', `plain text before the edit: ${before.status}`, before.status === 200);
    await mesh.edit(TO_STRICT);
  });
  const unmatched = await readUnmatched(ledger);
  const refusal = await refusalOf(ledger);
  saw('the caller', `plain text after the edit: ${refusal ?? 'answered'}`, refusal !== undefined);
  const after = await readUnmatched(ledger);
  const counted = `connections without a chain for them ${unmatched} -> ${after}`;
  saw("ledger's Envoy", counted, after === unmatched + 1);
  return `refused; ${requests} requests over mTLS meanwhile, none failed`;
};

/** Why a plain-text call got no answer; undefined if it got one. */
async function refusalOf(node: DemoNode): Promise<string | undefined> {
  try {
    await callPlain(node, '/public/rates');
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

export const renewalUnderLoad: Step = async (mesh, notes) => {
  const { does, saw } = notes;
  const ledger = mesh.node('payments/ledger');
  does("web calls the ledger all the time; in mesh.yaml the ledger's leaves go from 24h to 20s");
  const requests = await underTraffic(mesh, notes, async (tls) => {
    let leaf = await onlyLeaf(ledger);
    saw("ledger's Envoy", toText('at first', leaf), leaf.spiffeId === LEDGER_ID);
    await mesh.edit(TO_SHORT_LEAVES);
    leaf = await nextLeaf(ledger, leaf);
    saw("ledger's Envoy", toText('by the edit', leaf), leaf.spiffeId === LEDGER_ID);
    does('after half of its lifetime the server renews it by itself');
    leaf = await nextLeaf(ledger, leaf);
    saw("ledger's Envoy", toText('renewed', leaf), leaf.spiffeId === LEDGER_ID);
    const served = await servedSerial(ledger, tls);
    saw('a new connection', `is shown     ${served}`, served === leaf.serial);
  });
  return `twice; ${requests} requests meanwhile, none failed`;
};

function toText(when: string, { serial, expires }: LeafInUse): string {
  return `${when.padEnd(12)} ${serial}, until ${expires}`;
}

async function onlyLeaf(node: DemoNode): Promise<LeafInUse> {
  const [leaf, ...others] = await readLeaves(node);
  if (leaf !== undefined && others.length === 0) return leaf;
  throw new Error(`expected one leaf at ${node.name}'s Envoy but got ${others.length + 1}`);
}

/** Waits until the sidecar holds only one leaf, and not `before`. */
function nextLeaf(node: DemoNode, before: LeafInUse): Promise<LeafInUse> {
  return eventually(
    async () => {
      const leaf = await onlyLeaf(node);
      return leaf.serial === before.serial ? false : leaf;
    },
    { what: 'another leaf', timeoutMs: RENEWAL_TIMEOUT_MS, intervalMs: 100 },
  );
}

async function servedSerial({ address, port }: DemoNode, tls: TlsOptions): Promise<string> {
  const { tls: facts } = await httpCall({ address, port, path: '/accounts', tls });
  return toSerial(facts?.serverSerial ?? '');
}
