// Rules that contradict themselves or don't do what they seem to: MODEL.md "Access".
import { trustDomainPrefix } from '../spiffe/index.js';
import { needsHttp } from './access.js';
import { isAnyone } from './caller.js';
import { contradictedField } from './contradiction.js';
import { type Effect, mayPass, ruleMatchesCaller } from './decide.js';
import { meantMethod } from './method.js';
import type { Caller, RuleFields } from './model.js';
import type { AddProblem } from './report.js';
import type { Resolution, ResolvedPort, ResolvedService } from './resolve.js';
import type { Chain, Scope, ScopedRule } from './scopes.js';
import type { Path } from './tree.js';

interface AccessAnalysis {
  readonly resolution: Resolution;
  readonly chains: readonly Chain[];
  readonly addProblem: AddProblem;
}

export function analyseAccess({ resolution, chains, addProblem }: AccessAnalysis): void {
  for (const chain of chains) {
    checkLists(chain, addProblem);
    const [{ allow, deny }] = chain;
    const { trustDomain } = resolution;
    for (const scoped of [...(allow?.rules ?? []), ...deny]) {
      const effect = deny.includes(scoped) ? 'takes' : 'grants';
      checkMethods(scoped, addProblem);
      checkContradiction(scoped, { trustDomain, effect, addProblem });
      checkTrustDomain(scoped, { trustDomain, addProblem });
    }
  }
  const byRule = new PortsByRule();
  for (const service of resolution.services) {
    checkWithoutSidecar(service, addProblem);
    for (const port of service.ports) {
      checkOwnRules(port, addProblem);
      const { trustDomain } = resolution;
      byRule.collect({ name: `${service.service.name}:${port.port.number}`, port, trustDomain });
    }
  }
  byRule.reportTo(addProblem);
}

function ownRules({ allow, deny }: Scope): readonly ScopedRule[] {
  return [...(allow?.rules ?? []), ...deny];
}

function checkLists([{ path, settings, allow }, ...wider]: Chain, addProblem: AddProblem): void {
  if (settings.access === 'allow' && allow !== undefined) {
    addProblem([...path, 'access'], {
      message: 'expected access deny beside an allow list but got allow',
      hint: 'a list permits what it names and refuses the rest: leave out access, or the list',
    });
  }
  if (allow?.inherits !== true) return;
  const at = [...path, 'allow', settings.allow?.indexOf('inherit') ?? 0];
  if (wider.length === 0) {
    addProblem(at, {
      message: 'expected a wider scope to inherit from but got none around the mesh',
    });
  } else if (wider.every((scope) => scope.allow === undefined)) {
    addProblem(at, { severity: 'warning', message: 'no wider scope has an allow list to inherit' });
  }
}

function checkMethods({ rule, path }: ScopedRule, addProblem: AddProblem): void {
  const check = ({ methods = [] }: RuleFields, at: Path): void => {
    for (const [index, method] of methods.entries()) {
      const meant = meantMethod(method);
      if (meant === undefined) continue;
      addProblem([...at, 'methods', index], {
        severity: 'warning',
        message: `"${method}" is an uncommon method (did you mean "${meant}"?)`,
      });
    }
  };
  check(rule, path);
  check(rule.not ?? {}, [...path, 'not']);
}

/** What `not` takes away is all that the rule asks for. */
function checkContradiction(
  { rule, path }: ScopedRule,
  {
    trustDomain,
    effect,
    addProblem,
  }: { trustDomain: string; effect: Effect; addProblem: AddProblem },
): void {
  const { not } = rule;
  const field = not && contradictedField(rule, { not, trustDomain, effect });
  if (field === undefined) return;
  const all = rule[field] === undefined ? 'everything' : `all of its ${field}`;
  addProblem([...path, 'not', field], {
    message: `expected a rule that can match but its not takes away ${all}`,
    hint: 'leave out the rule, or what its not has too much',
  });
}

/**
 * Identities of other trust domains can't connect in this version: such an entry matches nobody.
 */
function checkTrustDomain(
  { rule, path }: ScopedRule,
  { trustDomain, addProblem }: { trustDomain: string; addProblem: AddProblem },
): void {
  const check = (from: readonly Caller[] = [], at: Path): void => {
    for (const [index, caller] of from.entries()) {
      if (caller.kind !== 'spiffe' || caller.id.startsWith(trustDomainPrefix(trustDomain)))
        continue;
      const message =
        'no identity of another trust domain can connect: federation is not supported yet';
      addProblem([...at, 'from', index], { severity: 'warning', message });
    }
  };
  check(rule.from, path);
  check(rule.not?.from, [...path, 'not']);
}

function checkWithoutSidecar(
  { service, path, chain, ports }: ResolvedService,
  addProblem: AddProblem,
): void {
  if (service.sidecar) return;
  const scopes = [chain[0], ...ports.map((port) => port.chain[0])];
  const hasRules = scopes.some(
    ({ settings }) => settings.allow ?? settings.deny ?? settings.access,
  );
  if (!hasRules) return;
  addProblem([...path, 'sidecar'], {
    severity: 'warning',
    message: "without a sidecar its rules are kept by its callers' sidecars only",
    hint: 'who reaches its address in another way is not asked',
  });
}

/** A port's own rules must be ones that it can keep. */
function checkOwnRules({ port, chain: [scope] }: ResolvedPort, addProblem: AddProblem): void {
  for (const { rule, path } of ownRules(scope)) {
    for (const [fields, at] of [
      [rule, path],
      [rule.not ?? {}, [...path, 'not']],
    ] as const) {
      if (port.protocol === 'tcp') {
        for (const key of ['methods', 'paths'] as const) {
          if (fields[key] === undefined) continue;
          const message = `expected ${key} only on http, http2 and grpc ports but got them on tcp`;
          addProblem([...at, key], { message });
        }
      }
      if (port.mode === 'disable' && fields.from?.some((caller) => !isAnyone(caller)) === true) {
        addProblem([...at, 'from'], {
          message: 'expected only anyone in from on a port with mtls disable but got an identity',
          hint: 'plain text has no identity: use mtls permissive or strict',
        });
      }
    }
  }
}

/** What goes wrong with one rule at several ports is reported once, at the rule. */
class PortsByRule {
  readonly #skipped = new Map<ScopedRule, string[]>();
  readonly #passed = new Map<ScopedRule, string[]>();
  readonly #neverMatch = new Map<ScopedRule, string[]>();
  readonly #plainExcept = new Map<ScopedRule, string[]>();

  collect(at: { name: string; port: ResolvedPort; trustDomain: string }): void {
    const { name, port: resolved, trustDomain } = at;
    const { port, chain, effective } = resolved;
    const [own] = chain;
    for (const scoped of effective.skipped) {
      if (!ownRules(own).includes(scoped)) note(this.#skipped, scoped, name);
    }
    if (port.mode === 'strict') return;
    const plain = { spiffeId: undefined, trustDomain };
    const active = new Set(port.access.deny);
    const plainPasses = mayPass(port.access, plain);
    for (const scoped of chain.flatMap(({ deny }) => deny)) {
      if (!active.has(scoped.rule) || !plainPasses || ruleMatchesCaller(scoped.rule, plain))
        continue;
      if (port.mode === 'permissive') note(this.#passed, scoped, name);
      else if (!own.deny.includes(scoped)) note(this.#neverMatch, scoped, name);
    }
    const allowed = new Set(port.access.allow);
    for (const scoped of chain.flatMap(({ allow }) => allow?.rules ?? [])) {
      const except = scoped.rule.not?.from?.some((caller) => !isAnyone(caller)) === true;
      const matches = ruleMatchesCaller(scoped.rule, plain);
      if (except && matches && allowed.has(scoped.rule)) note(this.#plainExcept, scoped, name);
    }
  }

  reportTo(addProblem: AddProblem): void {
    for (const [{ rule, path }, ports] of this.#skipped) {
      const key = needsHttp({ ...rule, not: {} }) ? path : [...path, 'not'];
      addProblem(key, {
        severity: 'warning',
        message: `a rule with methods or paths has no effect on tcp ports: ${ports.join(', ')}`,
      });
    }
    for (const [{ path }, ports] of this.#passed) {
      addProblem([...path, 'from'], {
        message:
          'expected an allow rule with from beside a deny rule with from where plain text is ' +
          `accepted but got none at ${ports.join(', ')}: plain text walks past the deny rule`,
        hint: 'set mtls: strict there, or add an allow list that names who may call',
      });
    }
    for (const [{ path }, ports] of this.#neverMatch) {
      addProblem([...path, 'from'], {
        severity: 'warning',
        message: `a deny rule with from never matches where mtls is disable: ${ports.join(', ')}`,
      });
    }
    for (const [{ path }, ports] of this.#plainExcept) {
      addProblem([...path, 'not', 'from'], {
        severity: 'warning',
        message: `callers in plain text are not excepted: ${ports.join(', ')}`,
        hint: 'they have no identity, and the rule permits anyone',
      });
    }
  }
}

function note(map: Map<ScopedRule, string[]>, rule: ScopedRule, port: string): void {
  const ports = map.get(rule);
  if (ports === undefined) map.set(rule, [port]);
  else ports.push(port);
}
