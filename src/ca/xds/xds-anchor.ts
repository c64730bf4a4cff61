// The anchor of the xDS port, which bootstraps pin for a host's life. A bootstrap cannot be
// reloaded, so the anchor is made once, apart from the mesh's authority, and never changes.
import { type Clock, type Random, timesOf } from '../../base/index.js';
import { type DataDir, damaged } from '../../data/index.js';
import { assertNeverThere } from '../../data/manifest/index.js';
import { certificateProblems } from '../../x509/check/index.js';
import {
  caPeriodFrom,
  type Issuer,
  issueCertificate,
  toIssuer,
  toSerialHex,
} from '../../x509/issue/index.js';
import { generateKeys, type KeySource } from '../../x509/keys/index.js';
import { createIssuer, loadIssuer } from './stored-issuer.js';
import { XDS_ANCHOR_LIFETIME_MS, xdsAnchorTemplate } from './xds-templates.js';

export interface XdsAnchorOptions {
  readonly dataDir: DataDir;
  readonly clock: Clock;
  readonly random: Random;
  readonly keySource?: KeySource;
}

const FILE = 'xds-anchor.json';

/** @throws MeshError data-lost, data-damaged, data-unreadable, data-unwritable */
export async function loadOrCreateAnchor(options: XdsAnchorOptions): Promise<Issuer> {
  const found = await loadAnchor(options.dataDir);
  if (found !== undefined) return found;
  const { dataDir, clock, random, keySource = generateKeys } = options;
  await assertNeverThere(dataDir, FILE);
  const times = timesOf(clock);
  const keys = await keySource('ecdsa-p256');
  const issued = issueCertificate({
    template: xdsAnchorTemplate({
      serialHex: toSerialHex(random),
      publicKeyDer: keys.publicKeyDer,
      times,
    }),
    keys,
    issuer: 'self',
    expected: {
      kind: 'authority',
      spiffeId: undefined,
      pathLength: 0,
      ...caPeriodFrom(times, XDS_ANCHOR_LIFETIME_MS),
    },
  });
  const anchor = toIssuer(issued, keys.privateKeyPem);
  if (await createIssuer(dataDir, FILE, anchor)) return anchor;
  // Another process was first: its anchor is the one that bootstraps already pin.
  return (await loadAnchor(dataDir)) ?? anchor;
}

async function loadAnchor(dataDir: DataDir): Promise<Issuer | undefined> {
  const found = await loadIssuer(dataDir, FILE);
  if (found === undefined) return undefined;
  const problems = certificateProblems({
    facts: found.facts,
    issuer: found.facts,
    privateKeyPem: found.privateKeyPem,
    expected: {
      kind: 'authority',
      spiffeId: undefined,
      pathLength: 0,
      earliestBeginMs: Number.NEGATIVE_INFINITY,
      latestEndMs: Number.POSITIVE_INFINITY,
    },
  });
  if (problems.length === 0) return found;
  throw damaged({ dataDir, name: FILE, what: problems.join('; ') });
}
