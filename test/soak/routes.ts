// The ways that are called: allowed ones, and forbidden ones of every kind.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { httpShot } from '../../src/demo/load-shots.js';
import type { TlsOptions } from '../../src/demo/tls-client.js';
import { eventually } from '../harness/index.js';
import { tcpShot } from '../harness/tcp-shot.js';
import type { Route } from './calls.js';
import { HTTP_PORT, TCP_PORT } from './mesh-text.js';
import type { World } from './world.js';

const MESH_PORT = 15_443;
const LEDGER_SNI = `${HTTP_PORT}.ledger.default.mesh`;
const STORE_SNI = `${TCP_PORT}.store.default.mesh`;

type Target = { readonly address: string; readonly port: number };

async function outbound(world: World, caller: string, callee: string): Promise<string> {
  const query = { service: callee, outbound: world.places.get(caller)?.outbound ?? '' };
  const answer = await world.get(`/v1/hosts?${new URLSearchParams(query)}`);
  const { entries } = answer as { entries: readonly { address: string }[] };
  return entries[0]?.address ?? '';
}

/** The certificate that a command issued to a service. */
function certificateOf({ dir }: World, service: string): TlsOptions {
  const read = (name: string): string => readFileSync(join(dir, service, name), 'utf8');
  return { key: read('key.pem'), cert: read('cert.pem') };
}

function addressOf({ places }: World, service: string): string {
  return places.get(service)?.address ?? '';
}

interface Ways {
  readonly http: Target;
  readonly tcp: Target;
}

const waysOf = async (world: World, caller: string): Promise<Ways> => ({
  http: { address: await outbound(world, caller, 'ledger'), port: HTTP_PORT },
  tcp: { address: await outbound(world, caller, 'store'), port: TCP_PORT },
});

/** Without a sidecar, by a certificate alone, at the declared port and at the mesh port. */
function directly(world: World, service: string): readonly Omit<Route, 'isAllowed'>[] {
  const tls = certificateOf(world, service);
  const [ledger, store] = [addressOf(world, 'ledger'), addressOf(world, 'store')];
  const toLedger = { address: ledger, port: HTTP_PORT, tls };
  const overMesh = { address: ledger, port: MESH_PORT, tls: { ...tls, servername: LEDGER_SNI } };
  const toStore = { address: store, port: MESH_PORT, tls: { ...tls, servername: STORE_SNI } };
  const name = `${service}'s certificate`;
  return [
    {
      name: `${name} at ledger:${HTTP_PORT}`,
      through: ['ledger'],
      shot: httpShot(toLedger, 'per-request'),
    },
    {
      name: `${name} at ledger's mesh port`,
      through: ['ledger'],
      shot: httpShot(overMesh, 'per-request'),
    },
    {
      name: `${name} at store's mesh port`,
      through: ['store'],
      shot: tcpShot(toStore, 'per-request'),
    },
  ];
}

function overSidecar(caller: string, { http, tcp }: Ways): readonly Omit<Route, 'isAllowed'>[] {
  const uses = ['keep-alive', 'per-request'] as const;
  return uses.flatMap((use) => [
    {
      name: `${caller} to ledger, ${use}`,
      through: [caller, 'ledger'],
      shot: httpShot(http, use),
    },
    { name: `${caller} to store, ${use}`, through: [caller, 'store'], shot: tcpShot(tcp, use) },
  ]);
}

function inPlainText(world: World): readonly Omit<Route, 'isAllowed'>[] {
  const http = { address: addressOf(world, 'ledger'), port: HTTP_PORT };
  const tcp = { address: addressOf(world, 'store'), port: TCP_PORT };
  return [
    {
      name: 'plain text at ledger',
      through: ['ledger'],
      shot: httpShot(http, 'per-request'),
    },
    { name: 'plain text at store', through: ['store'], shot: tcpShot(tcp, 'per-request') },
  ];
}

export async function allRoutes(world: World): Promise<readonly Route[]> {
  const allowed = overSidecar('web', await waysOf(world, 'web'));
  const forbidden = [
    ...overSidecar('rogue', await waysOf(world, 'rogue')),
    ...overSidecar('batch', await waysOf(world, 'batch')),
    ...directly(world, 'rogue'),
    ...directly(world, 'batch'),
    ...inPlainText(world),
  ];
  return [
    ...allowed.map((route) => ({ ...route, isAllowed: true })),
    ...forbidden.map((route) => ({ ...route, isAllowed: false })),
  ];
}

/** What is forbidden later, or to others, is served now: by rogue's sidecar and certificates. */
export async function expectOpen(world: World): Promise<void> {
  const routes = [
    ...overSidecar('rogue', await waysOf(world, 'rogue')),
    ...directly(world, 'rogue'),
    ...directly(world, 'web'),
  ];
  for (const { name, shot } of routes) {
    const one = shot();
    await eventually(
      async () => {
        const answer = await one.fire();
        if (!['200', 'echoed'].includes(answer)) throw new Error(answer);
      },
      { what: `${name} to be served before it is forbidden` },
    );
    one.close();
  }
}
