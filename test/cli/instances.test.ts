import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MeshError } from '../../src/base/index.js';
import { instanceOption } from '../../src/cli/options.js';
import type { Peer } from '../../src/grpc/index.js';
import { authenticateSidecar } from '../../src/server/join/sidecar.js';
import { toApplicant } from '../../src/server/revocation/index.js';
import { toNodeId } from '../../src/spiffe/index.js';
import { createTokenKeys } from '../../src/tokens/index.js';
import { ManualClock } from '../fakes/manual-clock.js';
import { seededRandom } from '../fakes/seeded-random.js';
import { meshOf } from '../policy/helpers.js';
import { MemoryDataDir } from '../x509/tools.js';

// An instance that may join can be revoked. `revoke --instance fd00::` was refused although a node
// of that name may join, and so was the address of a sidecar that has no name (`::1`).

const MESH = meshOf('{ trustDomain: shop.example, services: { web: {} } }');
const clock = new ManualClock();
const random = seededRandom('instances');
const tokens = await createTokenKeys({ dataDir: new MemoryDataDir(), clock, random });
const { token } = tokens.sign({ audience: 'countersign-xds', subject: 'web', ttlMs: 60_000 });

/** The node by which revocations are found, or undefined where it may not join. */
async function join(id: string, address = '10.9.9.9'): Promise<string | undefined> {
  const peer: Peer = {
    address,
    node: { id, cluster: 'web', metadata: {}, userAgentName: '', userAgentVersion: '' },
    variant: 'delta',
    authorization: `Bearer ${token}`,
    certificate: undefined,
  };
  try {
    const sidecar = await authenticateSidecar(peer, {
      tokens,
      mesh: MESH,
      nowMs: clock.now(),
      ownerOf: async () => undefined,
    });
    return toApplicant(sidecar, MESH).node;
  } catch (error) {
    if (error instanceof MeshError) return undefined;
    throw error;
  }
}

/** The node that `--instance` names, or undefined where the option refuses it. */
function named(instance: string): string | undefined {
  const parse = instanceOption('').parseArg;
  try {
    return toNodeId({ service: 'web', instance: String(parse?.(instance, undefined)) });
  } catch (error) {
    if (error instanceof MeshError) return undefined;
    throw error;
  }
}

describe('an instance that may join can be revoked, and one that can be revoked may join', () => {
  it.each(['fd00::', 'fd00::1', '::1', 'a', 'run-7', 'a-', 'a_', 'x'.repeat(128)])(
    '%s',
    async (instance) => {
      expect(named(instance)).toBe(`web~${instance}`);
      expect(await join(`web~${instance}`)).toBe(`web~${instance}`);
    },
  );

  it('whatever it is called', async () => {
    const character = fc.constantFrom(...'aZ09._:-~/ %\n', 'é');
    const name = fc.oneof(fc.string({ unit: character, maxLength: 130 }), fc.string());
    await fc.assert(
      fc.asyncProperty(name, async (instance) => {
        expect(await join(`web~${instance}`)).toBe(named(instance));
      }),
    );
  });

  it('where it has no name: by its address', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.ipV4(), fc.ipV6()), async (address) => {
        const node = await join('web', address);
        if (node === undefined) return; // no address of one node, such as 0.0.0.0
        expect(named(node.slice('web~'.length))).toBe(node);
      }),
    );
    expect(await join('web', '::1')).toBe('web~::1');
  });
});
