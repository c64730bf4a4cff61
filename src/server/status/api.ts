// The HTTP API under /v1/, one handler a path: CLI.md.
import { type Clock, HOUR_MS, MeshError, MINUTE_MS } from '../../base/index.js';
import { findService, type ServiceName, serviceName, toNames } from '../../policy/index.js';
import {
  DEFAULT_OUTBOUND,
  type OutboundIndexes,
  parseOutbound,
  toCalleeAddress,
} from '../addresses/index.js';
import { type AdminHandler, toJsonReply } from './admin.js';
import { toMetrics } from './metrics.js';
import { type StatusInput, toServerStatus } from './status.js';
import { parseDemand, type WaitInput, waitForAnswer } from './waiting.js';

const DEFAULT_WAIT_MS = MINUTE_MS;
const LONGEST_WAIT_MS = HOUR_MS;

export interface ApiOptions {
  readonly clock: Clock;
  readonly indexes: OutboundIndexes;
  readonly status: () => StatusInput;
  readonly wait: WaitInput;
  /** Looks at the mesh file and the data folder now. */
  readonly checkInputs: () => Promise<void>;
  readonly onChange: (listener: () => void) => () => void;
}

/** Ready all the same: sidecars are served. */
const PAUSED = 'ok\npaused: no step of a change is taken, and no edit of the mesh file\n';

export function createApi(options: ApiOptions): ReadonlyMap<string, AdminHandler> {
  const { wait } = options;
  return new Map<string, AdminHandler>([
    ['/healthz', () => ({ body: 'ok\n' })],
    ['/readyz', () => ({ body: wait.rollout.isPaused ? PAUSED : 'ok\n' })],
    [
      '/metrics',
      () => ({ contentType: 'text/plain; version=0.0.4', body: toMetrics(options.status()) }),
    ],
    ['/v1/status', () => toJsonReply(toServerStatus(options.status()))],
    ['/v1/wait', (request) => answerWait(options, request)],
    ['/v1/hosts', ({ query }) => toJsonReply({ entries: toHosts(options, query) })],
  ]);
}

async function answerWait(
  { clock, wait, checkInputs, onChange }: ApiOptions,
  { query, signal }: Parameters<AdminHandler>[0],
): Promise<ReturnType<typeof toJsonReply>> {
  const timeoutMs = Number(query.get('timeout_ms') ?? DEFAULT_WAIT_MS);
  if (!Number.isFinite(timeoutMs) || timeoutMs < 0) {
    throw new MeshError('request-invalid', 'expected timeout_ms to be a number of milliseconds');
  }
  await checkInputs();
  const demand = parseDemand(query, wait.meshState());
  const answer = await waitForAnswer(wait, {
    clock,
    demand,
    timeoutMs: Math.min(timeoutMs, LONGEST_WAIT_MS),
    signal,
    onChange,
  });
  return toJsonReply(answer, answer.inForce ? 200 : 409);
}

interface HostEntry {
  readonly address: string;
  readonly service: string;
  readonly names: readonly string[];
}

/** What stands in /etc/hosts for each service that the sidecar listens for, or for one. */
function toHosts({ indexes, wait }: ApiOptions, query: URLSearchParams): readonly HostEntry[] {
  const { mesh } = wait.meshState();
  const outbound = parseOutbound(query.get('outbound') ?? DEFAULT_OUTBOUND);
  const asked = query.get('service');
  const only = asked === null ? undefined : serviceName(asked);
  const found = only === undefined ? undefined : findService(mesh, only);
  if (only !== undefined && found === undefined) {
    throw new MeshError('service-unknown', `the mesh declares no service "${only}"`);
  }
  const isListed = (name: ServiceName) => outbound.kind !== 'list' || outbound.addresses.has(name);
  if (found !== undefined && !toNames(found).some(isListed)) {
    throw new MeshError('request-invalid', `expected a callee of the list but got "${only}"`);
  }
  return [...mesh.services.values()]
    .filter(({ name, ports }) => (only === undefined ? ports.length > 0 : name === found?.name))
    .flatMap((callee) => {
      const { name, dnsNames } = callee;
      const address = toCalleeAddress(outbound, { callee, index: indexes.get(name) });
      return address === undefined ? [] : [{ address, service: name, names: dnsNames }];
    });
}
