// Where applications listen, and what follows from it: who can go round the sidecar, and calls that
// would never end.
import { isIP } from 'node:net';
import { MESH_PORT } from './keys.js';
import type { AddProblem } from './report.js';
import type { ResolvedPort, ResolvedService } from './resolve.js';

export function analyseTargets(services: readonly ResolvedService[], addProblem: AddProblem): void {
  const away: { readonly name: string; readonly resolved: ResolvedPort }[] = [];
  for (const resolved of services) {
    checkTargets(resolved, addProblem);
    checkOwnNames(resolved, addProblem);
    const { service, ports } = resolved;
    if (!service.sidecar) continue;
    const found = ports.filter(({ port }) => !isLoopback(port.target.address));
    away.push(
      ...found.map((port) => ({ name: `${service.name}:${port.port.number}`, resolved: port })),
    );
  }
  const [first] = away;
  if (first === undefined) return;
  addProblem([...first.resolved.path, 'target'], {
    severity: 'note',
    message:
      'between sidecar and application bytes are plain text on a network, and whoever reaches ' +
      'the application there goes round its sidecar, at ' +
      away.map(({ name }) => name).join(', '),
    hint: 'let a sidecar and its application be alone on that network',
  });
}

function checkTargets({ ports }: ResolvedService, addProblem: AddProblem): void {
  const first = new Map<string, number>();
  for (const { port, path } of ports) {
    if (port.target.port === MESH_PORT) {
      const where = `${MESH_PORT}, where sidecars call each other`;
      const message = `expected a target port other than ${where}`;
      addProblem([...path, 'target'], {
        message,
        hint: 'a target is where the application listens',
      });
    }
    const target = `${port.target.address.toLowerCase()} ${port.target.port}`;
    const earlier = first.get(target);
    if (earlier === undefined) {
      first.set(target, port.number);
      continue;
    }
    addProblem(path, {
      severity: 'warning',
      message: `ports ${earlier} and ${port.number} have one target: the looser protects it`,
    });
  }
}

/** By these names callers reach the sidecar, as `countersign hosts` or an alias has it. */
function checkOwnNames({ service, ports }: ResolvedService, addProblem: AddProblem): void {
  const declared = new Set(ports.map(({ port }) => port.number));
  for (const { port, path } of ports) {
    const { address, port: number } = port.target;
    if (!service.dnsNames.includes(address.toLowerCase()) || !declared.has(number)) continue;
    addProblem([...path, 'target'], {
      severity: 'warning',
      message:
        `${address}:${number} is what callers call: ` +
        'a sidecar that is led to itself never ends',
      hint: `give the application a name of its own, such as ${service.shortName}-application`,
    });
  }
}

function isLoopback(address: string): boolean {
  return address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));
}
