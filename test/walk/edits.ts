// Edits of the mesh by luck: one setting, or several of several services at once. What `check`
// refuses is drawn again, so that each is a mesh that a user could save.
import type { Luck } from '../soak/luck.js';
import {
  type AppName,
  FIRST_MESH,
  type MeshDoc,
  type PortDoc,
  type RuleDoc,
  type ScopeDoc,
  type ServiceDoc,
  tryMesh,
} from './mesh-doc.js';

/** What the server that is tried can do. */
export interface Features {
  /** Renames by `formerly`. */
  readonly renames: boolean;
  /** Another serviceAccount in a running mesh. */
  readonly identities: boolean;
  /** The target of a tcp port, or of one whose protocol changes too. */
  readonly replacements: boolean;
}

export interface Edit {
  readonly what: string;
  readonly doc: MeshDoc;
}

type Change = (doc: MeshDoc, luck: Luck, features: Features) => Edit;

/** Null: not written. */
const MODES = ['strict', 'permissive', 'disable', null] as const;
const CALLEES = ['ledger', 'quotes', 'store', 'db', 'extra'] as const;
const FROM: readonly (readonly string[])[] = [
  ['web'],
  ['batch'],
  ['web', 'batch'],
  ['*'],
  ['anyone'],
  ['default/*'],
  ['reports'],
];
const METHODS: readonly (readonly string[] | null)[] = [
  ...[null, null, ['GET'], ['POST'], ['GET', 'POST']],
];
const FLOORS: readonly (NonNullable<ScopeDoc['tls']> | null)[] = [
  null,
  { minVersion: 'TLSv1_2' },
  { minVersion: 'TLSv1_3' },
  { minVersion: 'TLSv1_2', maxVersion: 'TLSv1_2' },
];
/** What each port may be, and by which applications. */
const KINDS: Readonly<Record<string, readonly Pick<PortDoc, 'protocol' | 'target'>[]>> = {
  ledger: both(['http', 'tcp'], ['red', 'blue']),
  quotes: both(['grpc', 'http2', 'tcp'], ['green', 'gray']),
  store: both(['tcp'], ['east', 'west']),
  db: both(['tcp'], ['base']),
  extra: both(['http', 'tcp'], ['red', 'blue']),
};

function both(protocols: readonly string[], targets: readonly AppName[]) {
  return protocols.flatMap((protocol) => targets.map((target) => ({ protocol, target })));
}

/** Drops what is undefined: a key without a value is an error in mesh.yaml. */
function compact<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as T;
}

interface Place {
  readonly name: string;
  readonly scope: ScopeDoc;
  readonly put: (scope: ScopeDoc) => MeshDoc;
}

function placesOf(doc: MeshDoc): readonly Place[] {
  const { default: namespace } = doc.namespaces;
  const wide: Place[] = [
    { name: 'mesh', scope: doc, put: (scope) => ({ ...doc, ...scope }) as MeshDoc },
    {
      name: 'namespace',
      scope: namespace,
      put: (scope) => ({ ...doc, namespaces: { default: scope } }),
    },
  ];
  const narrow = CALLEES.flatMap((name): Place[] => {
    const service = doc.services[name];
    if (service === undefined) return [];
    const put = (next: ServiceDoc): MeshDoc => withService(doc, name, next);
    const ports = Object.entries(service.ports ?? {}).map(([number, port]) => ({
      name: `${name}:${number}`,
      scope: port,
      put: (scope: ScopeDoc) =>
        put({ ...service, ports: { ...service.ports, [number]: scope as PortDoc } }),
    }));
    return [{ name, scope: service, put: (scope) => put(scope as ServiceDoc) }, ...ports];
  });
  return [...wide, ...narrow];
}

function withService(doc: MeshDoc, name: string, service: ServiceDoc | undefined): MeshDoc {
  return { ...doc, services: compact({ ...doc.services, [name]: service }) as MeshDoc['services'] };
}

function set(doc: MeshDoc, luck: Luck, change: Partial<ScopeDoc>): Edit {
  const { name, scope, put } = luck.one(placesOf(doc));
  const [[key, value] = ['', undefined]] = Object.entries(change);
  const next = compact({ ...scope, ...change });
  // The key of a scope that is the whole document goes only by being left out.
  const whole = put(next) as unknown as Record<string, unknown>;
  const result =
    name === 'mesh' && value === undefined ? compact({ ...whole, [key]: undefined }) : whole;
  const text = value === undefined ? 'unset' : JSON.stringify(value);
  return { what: `${name} ${key} ${text}`, doc: result as unknown as MeshDoc };
}

function rules(luck: Luck): readonly RuleDoc[] {
  const count = luck.between(1, 2);
  return Array.from(
    { length: count },
    () => compact({ from: luck.one(FROM), methods: luck.one(METHODS) ?? undefined }) as RuleDoc,
  );
}

const toMode: Change = (doc, luck) =>
  set(doc, luck, { mtls: luck.one(MODES) ?? undefined } as ScopeDoc);
const toFloor: Change = (doc, luck) =>
  set(doc, luck, { tls: luck.one(FLOORS) ?? undefined } as ScopeDoc);
const toAllow: Change = (doc, luck) => {
  const allow = luck.isLucky(0.6) ? rules(luck) : undefined;
  return set(doc, luck, { allow } as ScopeDoc);
};
const toDeny: Change = (doc, luck) => {
  const deny = luck.isLucky(0.4) ? rules(luck) : undefined;
  return set(doc, luck, { deny } as ScopeDoc);
};

/** The protocol, the target, or both. */
const toKind: Change = (doc, luck, { replacements }) => {
  const name = luck.one(CALLEES.filter((one) => doc.services[one] !== undefined));
  const service = doc.services[name] ?? {};
  const [[number, port] = ['', undefined]] = Object.entries(service.ports ?? {});
  const kinds = KINDS[name] ?? [];
  const kind = luck.one(
    kinds.filter((one) => replacements || port === undefined || !isReplacement(port, one)),
  );
  const ports = { [number]: { ...port, ...kind } as PortDoc };
  const what = `${name}:${number} is ${kind.protocol} of ${kind.target}`;
  return { what, doc: withService(doc, name, { ...service, ports }) };
};

const toPresence: Change = (doc) => {
  const isThere = doc.services['extra'] !== undefined;
  const service: ServiceDoc = { ports: { 8081: { protocol: 'http', target: 'blue' } } };
  const what = isThere ? 'extra is removed' : 'extra is added';
  return { what, doc: withService(doc, 'extra', isThere ? undefined : service) };
};

const toAccount: Change = (doc, luck) => {
  const name = luck.one(
    ['web', 'batch', 'ledger', 'quotes', 'store'].filter((one) => doc.services[one]),
  );
  const { serviceAccount: old, ...service } = doc.services[name] ?? {};
  const next = old === undefined ? { serviceAccount: `${name}-account` } : {};
  const what = `${name} is ${old === undefined ? 'another' : 'its first'} account`;
  return { what, doc: withService(doc, name, { ...service, ...next }) };
};

/** `extra` becomes `annex` and keeps its sidecar; and back. */
const toName: Change = (doc) => {
  const { extra, annex, ...others } = doc.services;
  const [service, old, name] = extra ? [extra, 'extra', 'annex'] : [annex, 'annex', 'extra'];
  const { formerly: _, ...rest } = service ?? {};
  const services = { ...others, [name]: { ...rest, formerly: [old] } };
  return { what: `${old} is renamed ${name}`, doc: { ...doc, services } };
};

/** All rules and settings go at once, and the mode may be another. */
const toFirst: Change = (_, luck) => {
  const mtls = luck.one(['strict', 'permissive', 'disable']);
  return { what: `the first mesh, ${mtls}`, doc: { ...FIRST_MESH, mtls } };
};

function changesFor(doc: MeshDoc, { renames, identities }: Features): readonly Change[] {
  const usual = [
    toMode,
    toMode,
    toMode,
    toFloor,
    toAllow,
    toAllow,
    toAllow,
    toDeny,
    toKind,
    toKind,
    toFirst,
  ];
  const canRename = renames && (doc.services['extra'] ?? doc.services['annex']) !== undefined;
  return [
    ...usual,
    ...(doc.services['annex'] === undefined ? [toPresence] : []),
    ...(identities ? [toAccount] : []),
    ...(canRename ? [toName] : []),
  ];
}

const TRIES = 60;
const SHARE_OF_COMPOUND = 0.45;

/** Another mesh than this one, by one change or by several at once. */
export function nextEdit(doc: MeshDoc, luck: Luck, features: Features): Edit {
  const count = luck.isLucky(SHARE_OF_COMPOUND) ? luck.between(2, 4) : 1;
  for (let tries = 0; tries < TRIES; tries++) {
    const whats: string[] = [];
    let next = doc;
    for (let changes = 0; changes < count; changes++) {
      const edit = luck.one(changesFor(next, features))(next, luck, features);
      whats.push(edit.what);
      next = edit.doc;
    }
    if (JSON.stringify(next) === JSON.stringify(doc) || tryMesh(next) === undefined) continue;
    if (!features.replacements && isReplaced(doc, next)) continue;
    return { what: whats.join('; '), doc: next };
  }
  throw new Error('expected a mesh that check takes but got none');
}

type Kind = Pick<PortDoc, 'protocol' | 'target'>;

function isReplacement(before: Kind, after: Kind): boolean {
  const isLess = before.protocol !== after.protocol || after.protocol === 'tcp';
  return before.target !== after.target && isLess;
}

function isReplaced(before: MeshDoc, after: MeshDoc): boolean {
  return Object.entries(after.services).some(([name, { ports = {} }]) =>
    Object.entries(ports).some(([number, port]) => {
      const old = before.services[name]?.ports?.[number];
      return old !== undefined && isReplacement(old, port);
    }),
  );
}
