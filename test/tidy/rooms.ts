// The rooms of `src/`, from the ground up. ARCHITECTURE.md has the same table, and
// `layers.test.ts` holds the code to both. A room is a folder; a folder inside a room that is
// listed by itself is a room of its own.

/** A room imports only from rooms before it. */
export const ROOMS = [
  'base',
  'gen',
  'xds',
  'spiffe',
  'x509/der',
  'x509/keys',
  'x509/read',
  'x509/check',
  'x509/issue',
  'x509/pkcs12',
  'data',
  'data/manifest',
  'data/orders',
  'backup',
  'ca',
  'ca/change',
  'ca/step-ca',
  'ca/xds',
  'leaves',
  'tokens',
  'revocation',
  'drains',
  'capture',
  'policy',
  'translate/statistics',
  'translate',
  'grpc',
  'terminal',
  'server/clock',
  'server/addresses',
  'server/mesh',
  'server/join',
  'server/telemetry',
  'server/fleet',
  'server/revocation',
  'server/ca',
  'server/status',
  'server',
  'compose/project',
  'compose/plan',
  'compose/write',
  'demo',
  'cli',
] as const;

export type Room = (typeof ROOMS)[number];

/** Parts of one house of several rooms: its files are imported by name, and only within it. */
export const PRIVATE_ROOMS: readonly Room[] = ['gen', 'x509/der'];

const IDENTITY: readonly Room[] = ROOMS.filter((room) =>
  /^(spiffe|x509|data|backup|ca|leaves|tokens|revocation|drains)(\/|$)/.test(room),
);

/** What a room must not know although it stands before it (DESIGN.md, "Layers"). */
export const UNKNOWN: ReadonlyMap<Room, readonly Room[]> = new Map<Room, readonly Room[]>([
  ...IDENTITY.map((room): [Room, readonly Room[]] => [room, ['gen', 'xds']]),
  ['policy', ['gen', 'xds', ...IDENTITY.filter((room) => room !== 'spiffe')]],
  ['translate', IDENTITY.filter((room) => room !== 'spiffe')],
  ['grpc', [...IDENTITY, 'policy', 'translate']],
  ['terminal', ROOMS.slice(1, ROOMS.indexOf('terminal'))],
]);

/** The room of a file of `src/`. @throws Error for a file in no room */
export function roomOf(path: string): Room {
  const inside = path.replace(/^src\//, '');
  const found = ROOMS.filter((room) => inside.startsWith(`${room}/`)).sort(
    (a, b) => b.length - a.length,
  )[0];
  if (found === undefined) throw new Error(`${path} is in no room: see test/tidy/rooms.ts`);
  return found;
}
