import { strict as assert } from 'node:assert';
import { stringify } from 'yaml';
import {
  findService,
  type Mesh,
  parseMesh,
  type Service,
  type ServiceName,
} from '../../src/policy/index.js';
import { toLeafSettings } from '../../src/server/join/leaf-settings.js';
import {
  NOTHING_REVOKED,
  toCallers,
  toCapturedOutbound,
  toSecrets,
  translateNode,
  translateService,
} from '../../src/translate/index.js';
import { createResourceSet, TYPE_URLS } from '../../src/xds/index.js';
import { arrive, follow, type Outcome, type Request } from './call-oracle.js';
import type { RuleDoc } from './meshes.js';
import { NodeConfig } from './node-config.js';

// Three services: `web` calls the one that moves, which calls `back`. The one that moves has
// another name or account in each mesh; its sidecar is the same.

export interface MovingDoc {
  readonly name: string;
  readonly serviceAccount?: string;
  readonly formerly?: readonly string[];
  readonly protocol: string;
  readonly mtls?: string;
  /** Who may call it, and who may call `back`. */
  readonly allow?: readonly RuleDoc[];
  readonly deny?: readonly RuleDoc[];
  readonly backAllow?: readonly RuleDoc[];
  readonly backDeny?: readonly RuleDoc[];
}

/** Undefined: `check` refuses it. */
export function tryMovingMesh(doc: MovingDoc): Mesh | undefined {
  const { name, serviceAccount, formerly, protocol, mtls = 'strict' } = doc;
  const { allow, deny, backAllow, backDeny } = doc;
  const port = { protocol, mtls };
  const moving = {
    ...(serviceAccount && { serviceAccount }),
    ...(formerly && { formerly }),
    ports: { 8080: { ...port, ...(allow && { allow }), ...(deny && { deny }) } },
  };
  const back = {
    ...port,
    ...(backAllow && { allow: backAllow }),
    ...(backDeny && { deny: backDeny }),
  };
  const text = stringify(
    {
      trustDomain: 'shop.example',
      namespaces: { payments: {} },
      services: { web: {}, [name]: moving, back: { ports: { 8080: back } }, 'payments/idle': {} },
    },
    { aliasDuplicateObjects: false },
  );
  return parseMesh([{ path: 'mesh.yaml', text }]).mesh;
}

export type Role = 'web' | 'moving' | 'back';

const ADDRESSES: Readonly<Record<Role, string>> = {
  web: '10.1.0.1',
  moving: '10.1.0.2',
  back: '10.1.0.3',
};
const PEM = { keyPem: 'k', chainPem: 'c', anchorsPem: 'a' };

/** The service that has a role; the one that moves is who is neither of the others. */
export function serviceOf(mesh: Mesh, role: Role): Service {
  const found =
    role === 'moving'
      ? [...mesh.services.values()].find(
          ({ name, leaving }) => !OTHERS.includes(name) && leaving === undefined,
        )
      : findService(mesh, role);
  assert(found !== undefined, role);
  return found;
}

const OTHERS: readonly string[] = ['web', 'back', 'payments/idle'];

/** The identity of the leaf that its sidecar is to have. */
export function leafIn(mesh: Mesh, role: Role): string {
  return toLeafSettings(serviceOf(mesh, role)).spiffeId;
}

const configs = new WeakMap<Mesh, Map<Role, NodeConfig>>();

/** What the sidecar of a role is to have. */
export function configIn(mesh: Mesh, role: Role): NodeConfig {
  const known = configs.get(mesh) ?? new Map<Role, NodeConfig>();
  configs.set(mesh, known);
  const config = known.get(role) ?? toConfig(mesh, role);
  known.set(role, config);
  return config;
}

function toConfig(mesh: Mesh, role: Role): NodeConfig {
  const service = serviceOf(mesh, role);
  const registry = new Map(
    (['web', 'moving', 'back'] as const).map((one): [ServiceName, [{ address: string }]] => [
      serviceOf(mesh, one).name,
      [{ address: ADDRESSES[one] }],
    ]),
  );
  const { listeners } = translateNode({
    ...{ mesh, service, address: ADDRESSES[role] },
    outboundAddress: ({ name }) => (name === 'back' ? '127.64.0.1' : '127.64.0.2'),
    capturedOutbound: toCapturedOutbound({ mesh, service, registry, revoked: NOTHING_REVOKED }),
  });
  const callers = toCallers({ mesh, service, deniedIds: [] });
  return new NodeConfig(
    new Map([
      ...translateService({ mesh, service, registry }),
      [TYPE_URLS.listener, listeners],
      [TYPE_URLS.secret, createResourceSet(toSecrets(PEM, callers))],
    ]),
  );
}

export interface Side {
  readonly mesh: Mesh;
  /** Of the leaf that it shows. */
  readonly identity: string;
}

/** A call from one role to another, by the leaves that both show. */
export function callTo(
  callee: Role,
  { from, to, now = to }: { readonly from: Side; readonly to: Side; readonly now?: Side },
  request: Request,
): Outcome {
  const caller = callee === 'back' ? 'moving' : 'web';
  const name = serviceOf(from.mesh, callee).name;
  const [connection] = follow(configIn(from.mesh, caller), {
    callee: `${name}:8080`,
    identity: from.identity,
  });
  if (connection === undefined) return { refused: 'the caller has no way there' };
  const ends = {
    accepted: configIn(to.mesh, callee),
    now: configIn(now.mesh, callee),
    identity: to.identity,
  };
  return arrive(ends, connection, request);
}
