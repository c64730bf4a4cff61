import { beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/index.js';
import { openDataDir } from '../../src/data/index.js';
import { addRevocation, removeRevocation } from '../../src/revocation/index.js';
import { GREETING, type Greeter, type Heard, hear, startGreeter } from '../harness/greeter.js';
import { describeEnvoy, useHarness } from '../harness/index.js';
import { startMesh, type TestMesh } from '../harness/start-mesh.js';

// An application that speaks first has said all of it before a client's first byte, at which
// network RBAC decides. So whoever may not call must not reach it at all (decision 022).
const GUARDED = 9203;
const ONLY_FROM = 9204;
const OPEN = 9205;
const ALL_BUT_EVIL = 9206;
const DISABLED = 9207;
const PORTS = [GUARDED, ONLY_FROM, OPEN, ALL_BUT_EVIL, DISABLED] as const;
type Port = (typeof PORTS)[number];
const MESH_PORT = 15443;
const DENY_EVIL = 'deny: [ { from: [evil] } ]';
const NOTHING = '';

const toMesh = (greeter: (port: Port) => Greeter, guarded = DENY_EVIL): string => {
  const at = (port: Port): string => {
    const { address, port: number } = greeter(port);
    return `protocol: tcp, target: "${address}:${number}"`;
  };
  return `
trustDomain: test.example
services:
  web: {}
  evil: {}
  other/web: {}
  back:
    ports:
      ${GUARDED}: { ${at(GUARDED)}, mtls: strict, ${guarded}, allow: [ { from: [web, evil] } ] }
      ${ONLY_FROM}: { ${at(ONLY_FROM)}, allow: [ { from: [web] } ] }
      ${OPEN}: { ${at(OPEN)} }
      ${ALL_BUT_EVIL}: { ${at(ALL_BUT_EVIL)}, mtls: strict, ${DENY_EVIL} }
      ${DISABLED}: { ${at(DISABLED)}, mtls: disable, access: deny }
`;
};

for (const { version, sotw, isConnected } of [
  { version: '1.40.0', sotw: false, isConnected: false },
  // It connects to the application while the handshake goes on, and passes on nothing.
  { version: '1.36.4', sotw: true, isConnected: true },
]) {
  const name = `the first word, Envoy ${version}, ${sotw ? 'SotW' : 'delta'}`;
  await describeEnvoy(name, { version }, ({ binary }) =>
    showFirstWord({ binary, sotw, isConnected }),
  );
}

interface Options {
  readonly binary: string;
  readonly sotw: boolean;
  readonly isConnected: boolean;
}

function showFirstWord({ binary, sotw, isConnected }: Options): void {
  const harness = useHarness(`first-word-${sotw ? 'sotw' : 'delta'}`);
  const greeters = new Map<Port, Greeter>();
  const greeter = (port: Port): Greeter => {
    const found = greeters.get(port);
    if (found === undefined) throw new Error(`no application of ${port}`);
    return found;
  };
  let mesh: TestMesh;

  beforeAll(async () => {
    for (const port of PORTS) greeters.set(port, await startGreeter(harness));
    mesh = await startMesh(harness, {
      binary,
      services: { web: [], evil: [], back: [] },
      mesh: () => toMesh(greeter),
    });
    await mesh.sidecar('back', { sotw });
    expect(await mesh.wait()).toMatchObject({ inForce: true });
  }, 60_000);

  type More = { readonly maxVersion?: 'TLSv1.2'; readonly session?: Buffer | undefined };
  const asIdentity = async (name: string, more: More = {}) => {
    const { key, cert } = await mesh.certificate(name);
    return { key, cert, ...more };
  };
  const declared = (port: Port, tls?: object): Promise<Heard> =>
    hear({ address: mesh.service('back').address, port, ...(tls === undefined ? {} : { tls }) });
  const meshPort = (port: Port, tls: object): Promise<Heard> =>
    hear({
      address: mesh.service('back').address,
      port: MESH_PORT,
      tls: { ...tls, servername: `${port}.back.default.mesh` },
    });
  /** What was heard, and how many connections the application saw. */
  const told = async (port: Port, call: () => Promise<Heard>): Promise<[string, number]> => {
    const before = greeter(port).seen;
    const { text } = await call();
    return [text, greeter(port).seen - before];
  };
  const refused = (connections = isConnected ? 1 : 0): [string, number] => [NOTHING, connections];
  const served: [string, number] = [GREETING, 1];

  describe('of a caller that a rule refuses, who says nothing', () => {
    test.each([undefined, 'TLSv1.2'] as const)(
      'not a byte comes out, at the declared port and at the mesh port (max %s)',
      async (maxVersion) => {
        const more = maxVersion === undefined ? {} : { maxVersion };
        const evil = await asIdentity('evil', more);
        const web = await asIdentity('web', more);
        for (const port of [GUARDED, ALL_BUT_EVIL] as const) {
          // The floor is 1.3: nobody gets in by 1.2.
          const good = maxVersion === undefined ? served : refused();
          expect(await told(port, () => declared(port, web))).toEqual(good);
          expect(await told(port, () => declared(port, evil))).toEqual(refused());
          expect(await told(port, () => meshPort(port, web))).toEqual(good);
          expect(await told(port, () => meshPort(port, evil))).toEqual(refused());
        }
      },
    );

    test('an identity of like name in another namespace hears nothing', async () => {
      const other = await asIdentity('other/web');
      expect(await told(GUARDED, () => declared(GUARDED, other))).toEqual(refused());
      expect(await told(ONLY_FROM, () => meshPort(ONLY_FROM, other))).toEqual(refused());
    });

    test('without a certificate nothing is heard', async () => {
      for (const port of [GUARDED, ONLY_FROM, OPEN, ALL_BUT_EVIL, DISABLED] as const) {
        expect(await told(port, () => meshPort(port, {}))).toEqual(refused());
      }
      expect(await told(GUARDED, () => declared(GUARDED, {}))).toEqual(refused());
    });

    test('nobody hears a port that lets nobody in', async () => {
      const web = await asIdentity('web');
      expect(await told(DISABLED, () => meshPort(DISABLED, web))).toEqual(refused());
    });
  });

  describe('of a caller in plain text', () => {
    test('not a byte comes out where only identities may call', async () => {
      expect(await told(ONLY_FROM, () => declared(ONLY_FROM))).toEqual(refused(0));
      expect(await told(DISABLED, () => declared(DISABLED))).toEqual(refused(0));
    });

    test('an open port greets at once', async () => {
      expect(await told(OPEN, () => declared(OPEN))).toEqual(served);
    });
  });

  test('no ticket from before the rule changed lets anybody in: none is given', async () => {
    const { text, session } = await meshPort(ONLY_FROM, await asIdentity('web'));
    expect({ text, session }).toEqual({ text: GREETING, session: undefined });
    await mesh.edit(toMesh(greeter).replaceAll('from: [web]', 'from: [other/web]'));
    const late = await meshPort(ONLY_FROM, await asIdentity('web'));
    expect(late).toMatchObject({ text: NOTHING, resumed: false });
    const other = await asIdentity('other/web');
    expect(await told(ONLY_FROM, () => meshPort(ONLY_FROM, other))).toEqual(served);
    await mesh.edit(toMesh(greeter));
  });

  test('a rule that goes lets the caller in', async () => {
    const evil = await asIdentity('evil');
    expect(await told(GUARDED, () => declared(GUARDED, evil))).toEqual(refused());
    await mesh.edit(toMesh(greeter, 'deny: [ { from: [other/web] } ]'));
    expect(await told(GUARDED, () => declared(GUARDED, evil))).toEqual(served);
    await mesh.edit(toMesh(greeter));
    expect(await told(GUARDED, () => declared(GUARDED, evil))).toEqual(refused());
  });

  test('a revoked service hears nothing, and what it calls stays open to others', async () => {
    const [web, evil] = [await asIdentity('web'), await asIdentity('evil')];
    const dataDir = await openDataDir({ path: mesh.dataPath, lock: false });
    const subject = { kind: 'service', subject: 'evil' } as const;
    expect(await told(OPEN, () => meshPort(OPEN, evil))).toEqual(served);
    await addRevocation(dataDir, { ...subject, revokedAtMs: systemClock.now() });
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    expect(await told(OPEN, () => meshPort(OPEN, evil))).toEqual(refused());
    expect(await told(OPEN, () => meshPort(OPEN, web))).toEqual(served);
    expect(await told(OPEN, () => declared(OPEN))).toEqual(served);
    await removeRevocation(dataDir, subject);
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    expect(await told(OPEN, () => meshPort(OPEN, evil))).toEqual(served);
  });
}
