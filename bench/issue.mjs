// Certificates a second on one core: key, certificate and PEM, with every check that a leaf passes
// before use. CPU time is what counts, of all threads together (main, libuv's, V8's): what one core
// could do. Three limits are measured in the same rounds: a key pair that node:crypto generates and
// encodes as PEM, a signature, and a verification.
import { generateKeyPair, generateKeyPairSync, sign, verify } from 'node:crypto';
import { promisify } from 'node:util';
import { systemClock, systemRandom } from '../dist/base/index.js';
import { loadOrCreateAuthority } from '../dist/ca/index.js';
import { nowMs, summarize } from './measure.mjs';

const generate = promisify(generateKeyPair);
const ENCODED = {
  publicKeyEncoding: { type: 'spki', format: 'der' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
};
const CURVES = { 'ecdsa-p256': 'P-256', 'ecdsa-p384': 'P-384' };
/** As many as a server has under way when it starts with a fleet. */
const AT_ONCE = 8;
/** A certificate that is signed is about that long. */
const SIGNED_BYTES = 420;

/** A data folder in memory: what is measured is issuing, not a disk. */
function memoryFolder() {
  const files = new Map();
  return {
    path: 'memory',
    read: async (name) => (files.has(name) ? Buffer.from(files.get(name)) : undefined),
    write: async (name, content) => void files.set(name, content),
    create: async (name, content) => !files.has(name) && files.set(name, content) !== undefined,
  };
}

/** Does `work` that many times; CPU and wall time of one, in ms. */
async function timeEach(count, work) {
  const cpuBefore = process.cpuUsage();
  const startedMs = nowMs();
  let left = count;
  const worker = async () => {
    while (left-- > 0) await work();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  const wallMs = nowMs() - startedMs;
  const { user, system } = process.cpuUsage(cpuBefore);
  return { cpuMs: (user + system) / 1000 / count, wallMs: wallMs / count };
}

async function createIssue(key) {
  const options = { dataDir: memoryFolder(), clock: systemClock, random: systemRandom };
  const trustDomain = 'bench.example';
  const { authority } = await loadOrCreateAuthority({ ...options, trustDomain });
  const request = {
    spiffeId: 'spiffe://bench.example/ns/payments/sa/ledger',
    dnsNames: ['ledger.payments', 'ledger.payments.mesh'],
    ttlMs: 86_400_000,
    key,
  };
  return () => authority.issueLeaf(request);
}

function limits(key) {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const bytes = Buffer.alloc(SIGNED_BYTES, 1);
  const signature = sign('sha256', bytes, privateKey);
  const pair =
    key in CURVES
      ? () => generate('ec', { namedCurve: CURVES[key], ...ENCODED })
      : () => generate('rsa', { modulusLength: Number(key.slice(4)), ...ENCODED });
  return {
    pair,
    sign: () => sign('sha256', bytes, privateKey),
    verify: () => verify('sha256', bytes, publicKey, signature),
  };
}

async function benchKey({ key, count, rounds }) {
  const work = { ours: await createIssue(key), ...limits(key) };
  const times = Object.fromEntries(Object.keys(work).map((name) => [name, []]));
  // The first round warms up the compiler.
  for (let round = 0; round <= rounds; round++) {
    for (const [name, run] of Object.entries(work)) {
      const time = await timeEach(count, run);
      if (round > 0) times[name].push(time);
    }
  }
  const perS = (list, which) => summarize(list.map((time) => 1000 / time[which]));
  const result = { key, count };
  for (const [name, list] of Object.entries(times)) {
    result[name] = { perCpuS: perS(list, 'cpuMs'), perWallS: perS(list, 'wallMs') };
  }
  return result;
}

/**
 * One result a key type: `{ key, count, ours, pair, sign, verify }`, each how many a second of CPU
 * and of wall time.
 */
export async function benchIssue({ rounds, quick }) {
  const few = quick ? 4 : 10;
  const plan = [
    { key: 'ecdsa-p256', count: quick ? 500 : 2000, rounds },
    { key: 'ecdsa-p384', count: quick ? 50 : 200, rounds },
    { key: 'rsa-2048', count: few, rounds: Math.min(rounds, 3) },
  ];
  const results = [];
  for (const part of plan) results.push(await benchKey(part));
  return results;
}
