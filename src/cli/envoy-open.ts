// What is still open at a sidecar, by its Envoy's own numbers: requests of its http ports, and
// connections of its tcp ports, which are one at the application for each of a caller's. It reads
// and changes nothing there.
import { get } from 'node:http';
import { MeshError, systemErrorCode } from '../base/index.js';
import { formatHostPort, type HostPort } from './options.js';

export interface OpenPort {
  /** As mesh.yaml declares it. */
  readonly port: number;
  readonly what: 'request' | 'connection';
  readonly open: number;
}

export interface StillOpen {
  /** Ports on which something is under way. */
  readonly ports: readonly OpenPort[];
  /** Connections of callers on which nothing is. */
  readonly idle: number;
}

const SILENCE_MS = 5_000;
const LONGEST_ANSWER = 8 * 1024 * 1024;
/** Envoy 1.36 writes the `:` of a name as it is, later ones as `_`. */
const FILTER =
  '^(http\\.inbound[:_]\\d+\\.downstream_rq_active|cluster\\.local\\..*\\.upstream_cx_active|' +
  'listener\\.(mesh|inbound[:_]\\d+)\\.downstream_cx_active)$';

/** @throws MeshError envoy-unreachable */
export async function readStillOpen(admin: HostPort): Promise<StillOpen> {
  return toStillOpen(await readStats(admin));
}

/** From Envoy's text form of these statistics. */
function toStillOpen(stats: string): StillOpen {
  const requests = new Map<number, number>();
  const applications = new Map<number, number>();
  let connections = 0;
  for (const line of stats.split('\n')) {
    const [, name = '', digits = ''] = /^(\S+): (\d+)$/.exec(line.trim()) ?? [];
    const value = Number(digits);
    const port = Number(/[:_](\d+)\./.exec(name)?.[1] ?? Number.NaN);
    if (name.startsWith('http.')) requests.set(port, value);
    else if (name.startsWith('cluster.')) applications.set(port, value);
    else if (name.startsWith('listener.')) connections += value;
  }
  // An http port's connections to the application are pooled: they say nothing of what is open.
  const tcp = [...applications].filter(([port]) => !requests.has(port));
  const all: OpenPort[] = [
    ...[...requests].map(([port, open]): OpenPort => ({ port, what: 'request', open })),
    ...tcp.map(([port, open]): OpenPort => ({ port, what: 'connection', open })),
  ];
  const ports = all.filter(({ open }) => open > 0).sort((a, b) => a.port - b.port);
  const busy = ports.reduce((sum, { open }) => sum + open, 0);
  return { ports, idle: Math.max(0, connections - busy) };
}

function readStats(admin: HostPort): Promise<string> {
  const { host, port } = admin;
  const path = `/stats?filter=${encodeURIComponent(FILTER)}`;
  return new Promise((resolve, reject) => {
    const fail = (reason: string, cause?: unknown): void => {
      const message = `expected Envoy's admin port at ${formatHostPort(admin)} but got ${reason}`;
      reject(new MeshError('envoy-unreachable', message, { cause }));
    };
    const asked = get({ host, port, path, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
        if (text.length > LONGEST_ANSWER) asked.destroy(new Error('an endless answer'));
      });
      response.on('end', () => {
        if (response.statusCode === 200) resolve(text);
        else fail(`HTTP status ${response.statusCode}`);
      });
    });
    asked.setTimeout(SILENCE_MS, () => asked.destroy(new Error('no answer')));
    asked.on('error', (error) => {
      const isRefused = systemErrorCode(error) === 'ECONNREFUSED';
      fail(isRefused ? 'nobody listening there' : error.message, error);
    });
  });
}
