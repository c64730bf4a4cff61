// What the sidecars of a port change in its requests, and settings about that which can't be kept.
import { looksAtPaths } from './access.js';
import type { Port, Rule } from './model.js';
import type { AddProblem } from './report.js';
import type { ResolvedPort, ResolvedService } from './resolve.js';
import type { Scope } from './scopes.js';
import { type Tree, valueAt } from './tree.js';

interface TransparencyAnalysis {
  readonly services: readonly ResolvedService[];
  readonly tree: Tree;
  readonly addProblem: AddProblem;
}

export function analyseTransparency({ services, tree, addProblem }: TransparencyAnalysis): void {
  const normalised = new Map<Scope, string[]>();
  const taken = new Map<Scope, string[]>();
  for (const { service, ports } of services) {
    for (const resolved of ports) {
      checkSettings(resolved, { tree, addProblem });
      checkHealth(resolved, { service, addProblem });
      const name = `${service.name}:${resolved.port.number}`;
      note(normalised, scopeWith(resolved, looks), name);
      note(taken, scopeWith(resolved, takesPaths), name);
    }
  }
  for (const [{ path }, ports] of normalised) {
    addProblem(path, {
      severity: 'note',
      message: `rules look at paths, which are therefore normalised at ${ports.join(', ')}`,
      hint: "to add the first such rule, or to take away the last, drains a port's connections",
    });
  }
  for (const [{ path }, ports] of taken) {
    addProblem(path, {
      severity: 'note',
      message:
        'a path that deny or not names is refused in every spelling but other letter case and ' +
        `double escapes, at ${ports.join(', ')}`,
      hint: 'for an application that reads /A as /a, or %2561 as a, name by allow what it may get',
    });
  }
}

function note(map: Map<Scope, string[]>, scope: Scope | undefined, port: string): void {
  if (scope !== undefined) map.set(scope, [...(map.get(scope) ?? []), port]);
}

function checkSettings(
  { port, path }: ResolvedPort,
  { tree, addProblem }: { readonly tree: Tree; readonly addProblem: AddProblem },
): void {
  const isWritten = (key: string): boolean => valueAt(tree, [...path, key]) !== undefined;
  for (const key of ['escapedSlashes', 'headerCase']) {
    if (port.protocol !== 'tcp' || !isWritten(key)) continue;
    addProblem([...path, key], {
      message: `expected ${key} only on http, http2 and grpc ports but got it on tcp`,
    });
  }
  if (port.headerCase === 'preserve' && isHttp2(port)) {
    addProblem([...path, 'headerCase'], {
      message: `expected headerCase preserve only on http ports but got it on ${port.protocol}`,
      hint: 'HTTP/2 has no upper case in names of headers',
    });
  }
  if (port.escapedSlashes === 'forward' && looksAtPaths(port.access)) {
    addProblem([...path, 'escapedSlashes'], {
      severity: 'warning',
      message: 'escaped slashes are forwarded though rules look at paths',
      hint: 'to deny and not, %2F is a slash as well; to allow, it is a character of its segment',
    });
  }
}

function checkHealth(
  { port, path }: ResolvedPort,
  {
    service,
    addProblem,
  }: Pick<ResolvedService, 'service'> & Pick<TransparencyAnalysis, 'addProblem'>,
): void {
  if (port.health === undefined) return;
  const { protocol } = port;
  if (protocol !== 'http' && protocol !== 'http2') {
    addProblem([...path, 'health'], {
      message: `expected health only on http and http2 ports but got it on ${protocol}`,
    });
  }
  if (!service.sidecar) {
    addProblem([...path, 'health'], {
      message: 'expected health only of services with a sidecar, which does the checks',
    });
  }
}

function isHttp2({ protocol }: Port): boolean {
  return protocol === 'http2' || protocol === 'grpc';
}

type Holds = (rule: Rule, list: 'allow' | 'deny') => boolean;

const looks: Holds = ({ paths, not }) => (paths ?? not?.paths) !== undefined;
const takesPaths: Holds = ({ paths, not }, list) =>
  (list === 'deny' ? paths : not?.paths) !== undefined;

/** The narrowest scope with such a rule that is in force at the port. */
function scopeWith({ port: { access }, chain }: ResolvedPort, holds: Holds): Scope | undefined {
  const active = new Set([
    ...access.deny.filter((rule) => holds(rule, 'deny')),
    ...access.allow.filter((rule) => holds(rule, 'allow')),
  ]);
  return chain.find(({ allow, deny }) =>
    [...(allow?.rules ?? []), ...deny].some(({ rule }) => active.has(rule)),
  );
}
