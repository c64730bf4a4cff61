// The admin port: what the commands ask of the running server.
import type { Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Closers, systemErrorCode, toRfc3339 } from '../base/index.js';
import type { DiskTrouble } from '../data/index.js';
import { type HostPort, toListenError, toToken } from './join/index.js';
import type { Parts } from './parts.js';
import type { State } from './state.js';
import { createAdminServer, createApi, type Trouble } from './status/index.js';

export async function serveAdmin(
  address: HostPort,
  parts: Parts,
  closers: Closers,
): Promise<HostPort> {
  const { state, control, horizon, clock, logger, caChange, orders, refusals, guards } = parts;
  const { rollout, members, publishing, pacing, settled, drains } = control;
  const server = createAdminServer({
    routes: createApi({
      clock,
      indexes: state.indexes,
      status: () => {
        const view = members.view();
        return {
          nowMs: clock.now(),
          meshState: state.source.state,
          rollout,
          steps: control.stepLog,
          members: view,
          keptOut: members.keptOut(),
          unwellOf: (sidecar) => control.applications.unwellOf(sidecar),
          full: state.registry.full(),
          gone: state.roster.gone(),
          troubles: toTroubles(parts),
          clockAheadMs: state.clock.aheadMs,
          keyEndMs: (keyId) => state.tokens.endOf(keyId),
          horizon: horizon.current(view),
          caPhase: caChange?.phase,
          refusals,
          strayOrders: orders.strays,
          revocations: state.revocations.inForce.value,
          drains: drains.view(),
          missing: toMissing(state).length,
          load: { budget: guards.budgets.view, connections: guards.connections.view },
        };
      },
      wait: {
        meshState: () => state.source.state,
        members: () => members.view(),
        keptOut: () => members.keptOut(),
        missing: () => toMissing(state),
        rollout,
        troubles: () => toTroubles(parts),
        // Not while endpoints are about to be published.
        settled: () => (publishing.isStale ? undefined : settled.value),
      },
      checkInputs: () => {
        state.source.check();
        return state.dataWatch.check();
      },
      onChange: (listener) => pacing.changes.add(listener),
    }),
    authorize: (authorization) => isAdmin(state, authorization),
    onError: (err) => logger.error({ err }, 'an admin request failed'),
  });
  closers.defer(() => stopListening(server));
  return listen(server, address);
}

/** Those that may come back within their grace. */
function toMissing({ registry, staticEnvoys }: State): readonly string[] {
  return [...new Set([...registry.missing(), ...staticEnvoys.missing()])];
}

function toTroubles({ state }: Parts): readonly Trouble[] {
  const { dataGuard, disk, clock, fileWatch, losses, revocations } = state;
  const files = [...revocations.troubles, ...fileWatch.troubles, ...losses.texts];
  const found = [
    { kind: 'data-folder', text: dataGuard.trouble },
    ...files.map((text) => ({ kind: 'data-file', text }) as const),
    ...disk.troubles.map((trouble) => ({ kind: 'disk', text: toDiskText(trouble) }) as const),
    { kind: 'clock', text: clock.trouble },
  ] as const;
  return found.flatMap(({ kind, text }) => (text === undefined ? [] : [{ kind, text }]));
}

function toDiskText({ path, code, sinceMs }: DiskTrouble): string {
  return `the data folder cannot be written since ${toRfc3339(sinceMs)}: ${path}: ${code}`;
}

type AdminState = Pick<State, 'tokens' | 'shutOut'>;

/** @throws MeshError token-missing, token-invalid, token-expired, revoked */
export function verifyAdmin(
  { tokens, shutOut }: AdminState,
  authorization: string | undefined,
): void {
  const { id } = tokens.verify(toToken(authorization), { audience: 'countersign-admin' });
  shutOut.assertAdmitted({ tokenId: id });
}

function isAdmin(state: AdminState, authorization: string | undefined): boolean {
  try {
    verifyAdmin(state, authorization);
    return true;
  } catch {
    return false;
  }
}

function listen(server: HttpServer, address: HostPort): Promise<HostPort> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      reject(systemErrorCode(error) === undefined ? error : toListenError(address, error));
    });
    server.listen(address.port, address.host, () => {
      resolve({ host: address.host, port: (server.address() as AddressInfo).port });
    });
  });
}

function stopListening(server: HttpServer): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
