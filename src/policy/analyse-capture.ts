// Settings of `capture` that contradict each other or the ports, and what follows from them that an
// operator should know.
import { capturePortsOf } from './capture-schema.js';
import type { CaptureSettings } from './model.js';
import type { AddProblem } from './report.js';
import type { ResolvedService } from './resolve.js';
import type { Scope } from './scopes.js';

interface CaptureAnalysis {
  readonly services: readonly ResolvedService[];
  readonly addProblem: AddProblem;
}

export function analyseCapture({ services, addProblem }: CaptureAnalysis): void {
  const captured = services.filter(({ service }) => service.sidecar);
  for (const resolved of services) {
    checkWritten(resolved, addProblem);
    if (resolved.service.sidecar) checkPorts(resolved, addProblem);
  }
  checkWithoutEffect({ services: captured, addProblem });
  warnOfPassing({ services: captured, addProblem });
  const callers = captured.filter(({ service }) => service.capture.outbound === 'transparent');
  if (callers.length === 0) return;
  warnOfExcluded({ callers, services }, addProblem);
  warnOfNames(services, addProblem);
  warnOfOneAddress(services, addProblem);
}

type Depending = 'exclude' | 'undeclared' | 'egress';

/** What each key needs, in words and in fact. */
const NEEDS: Readonly<
  Record<Depending, { readonly words: string; isMet(capture: CaptureSettings): boolean }>
> = {
  exclude: {
    words: 'inbound or outbound transparent',
    isMet: ({ inbound, outbound }) => inbound === 'transparent' || outbound === 'transparent',
  },
  undeclared: {
    words: 'inbound transparent',
    isMet: ({ inbound }) => inbound === 'transparent',
  },
  egress: {
    words: 'outbound transparent',
    isMet: ({ outbound }) => outbound === 'transparent',
  },
};
const DEPENDING = Object.keys(NEEDS) as Depending[];

function checkWritten({ service, path, chain }: ResolvedService, addProblem: AddProblem): void {
  const [{ capture }] = chain;
  if (capture === undefined) return;
  if (!service.sidecar) {
    addProblem([...path, 'capture'], {
      message: 'expected capture only of services with a sidecar, which does it',
    });
    return;
  }
  for (const key of DEPENDING) {
    const { words, isMet } = NEEDS[key];
    if (capture[key] === undefined || isMet(service.capture)) continue;
    addProblem([...path, 'capture', key], {
      message: `expected ${key} only with ${words}`,
      hint: `add it, or leave out ${key}`,
    });
  }
}

/** The same of a wider scope, where it may be meant for services to come. */
function checkWithoutEffect({ services, addProblem }: CaptureAnalysis): void {
  const written = new Map<Scope, Set<Depending>>();
  for (const { service, chain } of services) {
    for (const scope of chain.slice(1)) {
      const unmet = written.get(scope) ?? new Set(DEPENDING);
      for (const key of DEPENDING) {
        const isUnmet = scope.capture?.[key] !== undefined && !NEEDS[key].isMet(service.capture);
        if (!isUnmet) unmet.delete(key);
      }
      written.set(scope, unmet);
    }
  }
  for (const [{ path }, keys] of written) {
    for (const key of keys) {
      addProblem([...path, 'capture', key], {
        severity: 'warning',
        message: `${key} has no effect: no service here has ${NEEDS[key].words}`,
      });
    }
  }
}

function checkPorts({ service, ports }: ResolvedService, addProblem: AddProblem): void {
  const { capture } = service;
  const own = capturePortsOf(capture);
  for (const { port, path } of ports) {
    if (own.includes(port.number)) {
      addProblem(path, {
        message: `expected a port other than ${port.number}, to which the kernel hands connections`,
      });
    }
    if (own.includes(port.target.port) && port.target.port !== port.number) {
      addProblem([...path, 'target'], {
        message: `expected a target port other than ${port.target.port}, the sidecar's own`,
        hint: 'a target is where the application listens',
      });
    }
    if (capture.inbound === 'transparent' && capture.exclude.includes(port.number)) {
      addProblem(path, {
        message:
          `expected no declared port in capture's exclude but got ${port.number}: ` +
          'its callers would reach the application around its sidecar',
        hint: 'leave it out of exclude, or of ports',
      });
    }
  }
}

/** A port that nobody declared has no mode: it is neither STRICT's nor anybody's. */
function warnOfPassing({ services, addProblem }: CaptureAnalysis): void {
  const passing = new Map<Scope, string[]>();
  for (const { service, chain } of services) {
    const { inbound, undeclared } = service.capture;
    const isStrict = service.ports.some(({ mode }) => mode === 'strict');
    if (inbound !== 'transparent' || undeclared !== 'pass' || !isStrict) continue;
    const scope =
      chain.find(({ capture }) => capture?.undeclared !== undefined) ??
      chain.find(({ capture }) => capture?.inbound !== undefined);
    if (scope !== undefined) passing.set(scope, [...(passing.get(scope) ?? []), service.name]);
  }
  for (const [{ path, capture }, names] of passing) {
    const key = capture?.undeclared === undefined ? 'inbound' : 'undeclared';
    addProblem([...path, 'capture', key], {
      severity: 'warning',
      message: `undeclared ports pass in plain text, around STRICT, of ${names.join(', ')}`,
      hint: 'undeclared: refuse closes them',
    });
  }
}

function warnOfExcluded(
  {
    callers,
    services,
  }: { readonly callers: readonly ResolvedService[] } & Pick<CaptureAnalysis, 'services'>,
  addProblem: AddProblem,
): void {
  const excluded = new Set(callers.flatMap(({ service }) => service.capture.exclude));
  for (const { service, ports } of services) {
    for (const { port, path } of ports) {
      if (!excluded.has(port.number) || service.capture.inbound === 'transparent') continue;
      const by = callers.filter(({ service: caller }) =>
        caller.capture.exclude.includes(port.number),
      );
      addProblem(path, {
        severity: 'warning',
        message:
          `calls of this port leave around the sidecar, since capture's exclude has it, of ` +
          by.map(({ service: { name } }) => name).join(', '),
      });
    }
  }
}

function warnOfNames(services: readonly ResolvedService[], addProblem: AddProblem): void {
  for (const { service, path } of services) {
    for (const [index, { host, isIp }] of service.endpoints.entries()) {
      if (isIp) continue;
      addProblem([...path, 'endpoints', index], {
        severity: 'warning',
        message: `with outbound transparent calls of "${host}" go around this service`,
        hint: 'what is captured is known by address: name the addresses instead',
      });
    }
  }
}

function warnOfOneAddress(services: readonly ResolvedService[], addProblem: AddProblem): void {
  const first = new Map<string, string>();
  for (const { service, path, ports } of services) {
    for (const [index, { host, isIp, port: own }] of service.endpoints.entries()) {
      if (!isIp) continue;
      for (const number of new Set(ports.map(({ port }) => own ?? port.number))) {
        const key = `${host} ${number}`;
        const earlier = first.get(key);
        if (earlier === undefined) first.set(key, service.name);
        if (earlier === undefined || earlier === service.name) continue;
        addProblem([...path, 'endpoints', index], {
          severity: 'warning',
          message: `with outbound transparent a call of port ${number} there is one of ${earlier}`,
          hint: 'give one address and port to one service',
        });
      }
    }
  }
}
