import { generateKeyPairSync } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { systemClock, systemRandom } from '../../src/base/index.js';
import { askFinish, offerCaChain, STEER_CA } from '../../src/ca/change/index.js';
import {
  type CaChain,
  type CaStep,
  createCaChain,
  importCaChain,
  type Leaf,
  loadAuthority,
} from '../../src/ca/index.js';
import { type DataDir, openDataDir } from '../../src/data/index.js';
import { createOrderStore, giveOrder } from '../../src/data/orders/index.js';
import type { EnvoyProcess } from '../../src/demo/envoy-process.js';
import type { Load } from '../../src/demo/load.js';
import { httpShot } from '../../src/demo/load-shots.js';
import { recordHandedOut } from '../../src/leaves/index.js';
import { parseSpiffeId } from '../../src/spiffe/index.js';
import { signCertificate, toKeyIdHex, toSubjectDer } from '../../src/x509/issue/sign.js';
import { generateKeys, sha256Hex } from '../../src/x509/keys/index.js';
import { readCertificate, splitPem, toPem } from '../../src/x509/read/index.js';
import { describeEnvoy, eventually, httpsGet, outcome, useHarness } from '../harness/index.js';
import { expectNoneFailed } from '../harness/none-failed.js';
import { startMesh, type TestMesh, type TestService } from '../harness/start-mesh.js';
import { tcpShot } from '../harness/tcp-shot.js';

const HTTP_PORT = 8080;
const TCP_PORT = 6000;
const DOMAIN = 'test.example';
const HOUR_MS = 3_600_000;
const TOOLS = { clock: systemClock, random: systemRandom, keySource: generateKeys };

const toMesh = (service: (name: string) => TestService, mode = 'strict') => {
  const target = (port: number): string => `"${service('ledger').target(port)}"`;
  return `
trustDomain: ${DOMAIN}
mtls: ${mode}
services:
  web: {}
  ledger:
    ports:
      ${HTTP_PORT}: { protocol: http, target: ${target(HTTP_PORT)} }
      ${TCP_PORT}: { protocol: tcp, target: ${target(TCP_PORT)} }
`;
};

/** A root on RSA, as a company may have one, and its key. */
function createRsaRoot(): { certificatePem: string; privateKeyPem: string } {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 3072 });
  const publicKeyDer = publicKey.export({ type: 'spki', format: 'der' });
  const subject = [{ type: 'CN', value: 'corporate root' }] as const;
  const nowMs = Math.floor(systemClock.now() / 1000) * 1000;
  const der = signCertificate(
    {
      ...{ serialHex: '0a', subject, publicKeyDer, isCa: true, dnsNames: [], uris: [], ips: [] },
      ...{ notBeforeMs: nowMs - HOUR_MS, notAfterMs: nowMs + 1000 * HOUR_MS },
      ...{ keyUsage: ['keyCertSign', 'cRLSign'], extendedKeyUsage: [] },
    },
    { subjectDer: toSubjectDer(subject), keyIdHex: toKeyIdHex(publicKeyDer), privateKey },
  );
  const privateKeyPem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { certificatePem: toPem(der), privateKeyPem };
}

await describeEnvoy('a change of root under load', {}, ({ binary }) => {
  const harness = useHarness('root-change');
  let mesh: TestMesh;
  let ledger: EnvoyProcess;
  let dataDir: DataDir;
  let address: string;

  beforeAll(async () => {
    mesh = await startMesh(harness, {
      binary,
      services: {
        web: [],
        ledger: [
          { port: HTTP_PORT, kind: 'http' },
          { port: TCP_PORT, kind: 'tcp' },
        ],
      },
      mesh: (service) => toMesh(service),
    });
    ledger = await mesh.sidecar('ledger');
    await mesh.sidecar('web');
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    address = await mesh.outboundAddress('web', 'ledger');
    dataDir = await openDataDir({ path: mesh.dataPath, lock: false });
  }, 60_000);

  // What the test before it handed out has an hour left, and would hold its old root that long.
  beforeEach(async () => {
    await rm(join(mesh.dataPath, 'handed-out'), { recursive: true, force: true });
    expect((await load()).change).toBeUndefined();
  });

  const store = () => createOrderStore(dataDir);
  /** The operator's word on the change to that root. */
  const steer = async (chain: CaChain, step: CaStep): Promise<void> => {
    const payload = { rootSha256: sha256Hex(chain.root.facts.der), step };
    await giveOrder(STEER_CA, { payload }, { store: store(), ...TOOLS });
  };
  const edit = (mode: string): Promise<void> => mesh.edit(toMesh(mesh.service, mode));
  const load = () => loadAuthority({ dataDir, ...TOOLS });
  const newChain = (): Promise<CaChain> => createCaChain(DOMAIN, TOOLS);
  const startLoads = (): Load[] => [
    harness.load({ shot: httpShot({ address, port: HTTP_PORT }, 'keep-alive') }),
    harness.load({ shot: httpShot({ address, port: HTTP_PORT }, 'per-request') }),
    harness.load({ shot: tcpShot({ address, port: TCP_PORT }, 'per-request') }),
  ];
  /** Serials of the roots that ledger's sidecar itself says that it trusts for the mesh. */
  const rootsInForce = async (): Promise<string[]> => {
    const { configs } = await ledger.admin.configDump();
    const dump = JSON.stringify(configs);
    const [, encoded = ''] = /"trusted_ca":\{"inline_bytes":"([^"]+)"/.exec(dump) ?? [];
    const ders = splitPem(Buffer.from(encoded, 'base64').toString());
    return ders.map((der) => readCertificate(der).serialHex);
  };
  const stageIs = (stage: string | undefined): Promise<unknown> =>
    eventually(async () => (await load()).change?.stage === stage, {
      what: `stage ${stage}`,
      timeoutMs: 20_000,
    });
  /** Every proxy has a leaf of the new root; something else keeps the old one. */
  const heldBy = (what: string): Promise<unknown> =>
    eventually(
      async () => (await mesh.status()).rootChange?.waitingFor[0]?.startsWith(what) === true,
      { what: `the old root held by ${what}`, timeoutMs: 30_000 },
    );
  /** A client without a sidecar, that trusts what it was once given. */
  const callFromOutside = (leaf: Leaf, ca: string): Promise<string> => {
    const service = mesh.service('ledger');
    const tls = { key: leaf.keyPem, cert: leaf.chainPem, ca, verifyName: 'ledger' };
    return outcome(httpsGet({ address: service.address, port: HTTP_PORT, ...tls }));
  };
  const handOut = async (): Promise<Leaf> => {
    const leaf = await (await load()).issueLeaf({
      spiffeId: parseSpiffeId(`spiffe://${DOMAIN}/ns/default/sa/web`),
      ...{ dnsNames: [], ttlMs: HOUR_MS, key: 'ecdsa-p256' },
    });
    await recordHandedOut(dataDir, { certificate: leaf, service: 'web' });
    return leaf;
  };

  test('a new root takes over, and no request fails', async () => {
    const loads = startLoads();
    await Promise.all(loads.map((one) => one.more(20)));
    const chain = await newChain();
    const old = await load();
    await offerCaChain(createOrderStore(dataDir), chain, TOOLS);
    await eventually(async () => (await load()).trustAnchorsPem === chain.root.pem, {
      what: 'the new root alone',
      timeoutMs: 30_000,
    });
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    await expectNoneFailed(loads, 50);
    expect(await rootsInForce()).toEqual([chain.root.facts.serialHex]);
    expect(old.describe()[0]?.serialHex).not.toBe(chain.root.facts.serialHex);
    expect((await mesh.status()).rootChange).toBeNull();
  }, 60_000);

  test('a client that was handed a certificate goes on, until the operator ends it', async () => {
    const old = await load();
    const oldRoots = old.trustAnchorsPem;
    const leaf = await handOut();
    expect(await callFromOutside(leaf, oldRoots)).toBe('200');
    const loads = startLoads();
    await offerCaChain(createOrderStore(dataDir), await newChain(), TOOLS);
    await stageIs('sign');
    // The new leaf verifies by the old root alone, which has signed the new one.
    await heldBy('a certificate handed out until ');
    expect(await rootsInForce()).toHaveLength(2);
    expect(await callFromOutside(leaf, oldRoots)).toBe('200');
    await mesh.stop();
    await mesh.start();
    expect((await load()).change?.stage).toBe('sign');
    await eventually(async () => (await mesh.status()).proxies.length === 2, {
      what: 'both sidecars back',
      timeoutMs: 45_000,
    });
    expect(await callFromOutside(leaf, oldRoots)).toBe('200');
    const { change } = await load();
    await askFinish(createOrderStore(dataDir), change?.oldRootSha256 ?? '', TOOLS);
    await stageIs(undefined);
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    expect(await callFromOutside(leaf, oldRoots)).toBe('refused');
    await expectNoneFailed(loads, 50);
  }, 120_000);

  test('a plugged-in RSA root signs EC leaves, and no request fails', async () => {
    await handOut();
    const loads = startLoads();
    const root = createRsaRoot();
    const chain = await importCaChain(root, { trustDomain: DOMAIN, tools: TOOLS });
    await offerCaChain(createOrderStore(dataDir), chain, TOOLS);
    await heldBy('a certificate handed out until ');
    await askFinish(createOrderStore(dataDir), (await load()).change?.oldRootSha256 ?? '', TOOLS);
    await stageIs(undefined);
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    await expectNoneFailed(loads, 50);
    expect(await rootsInForce()).toEqual(['0a']);
    const { publicKey } = readCertificate(chain.issuer.facts.der).x509;
    expect(publicKey.asymmetricKeyType).toBe('ec');
  }, 60_000);

  test('prepared, activated and taken back, then rotated, while modes are edited', async () => {
    const loads = startLoads();
    const oldRoot = (await load()).trustAnchorsPem;
    const aborted = await newChain();
    await offerCaChain(store(), aborted, { ...TOOLS, until: 'trust' });
    await stageIs('trust');
    await heldBy('the operator: ');
    await edit('permissive');
    expect((await load()).change?.stage).toBe('trust');
    await steer(aborted, 'sign');
    await stageIs('sign');
    // Every proxy has a leaf of the new root; both are trusted until the operator decides.
    await heldBy('the operator: ');
    await edit('strict');
    expect(await rootsInForce()).toHaveLength(2);
    await steer(aborted, 'abort');
    await eventually(async () => (await load()).trustAnchorsPem === oldRoot, {
      what: 'the old root alone again',
      timeoutMs: 30_000,
    });
    const chain = await newChain();
    await offerCaChain(store(), chain, TOOLS);
    await edit('permissive');
    await eventually(async () => (await load()).trustAnchorsPem === chain.root.pem, {
      what: 'the new root alone',
      timeoutMs: 30_000,
    });
    await edit('strict');
    await expectNoneFailed(loads, 50);
    expect(await rootsInForce()).toEqual([chain.root.facts.serialHex]);
  }, 90_000);
});
