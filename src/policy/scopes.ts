// The scopes of a mesh (port, service, namespace, mesh) with their rules read, and the settings
// where the narrowest scope that says something wins.
import type { SourceRef } from '../base/index.js';
import type { CallerText } from './caller.js';
import { type CaptureText, DEFAULT_CAPTURE } from './capture-schema.js';
import type {
  Caller,
  CaptureSettings,
  CertificateSettings,
  Mode,
  Rule,
  RuleFields,
  TlsSettings,
} from './model.js';
import type { CertificatesText, RuleText, ScopeText } from './schema.js';
import { DEFAULT_CERTIFICATES, DEFAULT_TLS } from './tls.js';
import { type Path, placeAt, type Tree } from './tree.js';

export interface ScopedRule {
  readonly rule: Rule;
  readonly path: Path;
}

export interface Scope {
  readonly path: Path;
  readonly settings: ScopeText;
  readonly certificates: CertificatesText | undefined;
  readonly capture: CaptureText | undefined;
  /** Undefined where the scope has no list. */
  readonly allow: { readonly rules: readonly ScopedRule[]; readonly inherits: boolean } | undefined;
  readonly deny: readonly ScopedRule[];
}

/** From the narrowest to the mesh's own; never empty. */
export type Chain = readonly [Scope, ...Scope[]];

/** What a scope needs of the mesh around it. */
export interface Surroundings {
  readonly tree: Tree;
  /** The caller that an entry of `from` names. */
  toCaller(text: CallerText): Caller;
}

export interface ScopeInput {
  readonly path: Path;
  readonly settings: ScopeText;
  readonly certificates?: CertificatesText | undefined;
  readonly capture?: CaptureText | undefined;
}

export function createScope(input: ScopeInput, around: Surroundings): Scope {
  const { path, settings } = input;
  const allow: ScopedRule[] = [];
  for (const [index, entry] of (settings.allow ?? []).entries()) {
    if (entry !== 'inherit') allow.push(toRule(entry, [...path, 'allow', index], around));
  }
  return {
    path,
    settings,
    certificates: input.certificates,
    capture: input.capture,
    allow:
      settings.allow === undefined
        ? undefined
        : { rules: allow, inherits: settings.allow.includes('inherit') },
    deny: (settings.deny ?? []).map((rule, i) => toRule(rule, [...path, 'deny', i], around)),
  };
}

function toRule(text: RuleText, path: Path, around: Surroundings): ScopedRule {
  const rule: Rule = {
    ...toFields(text, around),
    ...(text.not === undefined ? {} : { not: toFields(text.not, around) }),
    source: placeAt(around.tree, path),
  };
  return { rule, path };
}

function toFields(text: Omit<RuleText, 'not'>, around: Surroundings): RuleFields {
  return {
    ...(text.from === undefined ? {} : { from: text.from.map((from) => around.toCaller(from)) }),
    ...(text.methods === undefined ? {} : { methods: text.methods }),
    ...(text.paths === undefined ? {} : { paths: text.paths }),
  };
}

/** The mode that is in force, and where it was written; undefined: nowhere, the default. */
export function resolveMode(
  chain: Chain,
  tree: Tree,
): { readonly mode: Mode; readonly source: SourceRef | undefined } {
  const scope = chain.find(({ settings }) => settings.mtls !== undefined);
  if (scope?.settings.mtls === undefined) return { mode: 'permissive', source: undefined };
  return { mode: scope.settings.mtls, source: placeAt(tree, [...scope.path, 'mtls']) };
}

/** Each key narrows by itself. Suites are TLS 1.2's: none where only 1.3 is spoken. */
export function resolveTls(chain: Chain): TlsSettings {
  const narrowest = <K extends keyof TlsSettings>(key: K): TlsSettings[K] => {
    for (const { settings } of chain) {
      const value = settings.tls?.[key] as TlsSettings[K] | undefined;
      if (value !== undefined) return value;
    }
    return DEFAULT_TLS[key];
  };
  const minVersion = narrowest('minVersion');
  return {
    minVersion,
    maxVersion: narrowest('maxVersion'),
    cipherSuites: minVersion === 'TLSv1_3' ? [] : narrowest('cipherSuites'),
    curves: narrowest('curves'),
  };
}

/** Each key narrows by itself. */
export function resolveCertificates(chain: Chain): CertificateSettings {
  const narrowest = <K extends keyof CertificatesText>(key: K): CertificatesText[K] =>
    chain.find(({ certificates }) => certificates?.[key] !== undefined)?.certificates?.[key];
  return {
    ttlMs: narrowest('ttl') ?? DEFAULT_CERTIFICATES.ttlMs,
    renewAt: narrowest('renewAt') ?? DEFAULT_CERTIFICATES.renewAt,
    jitter: narrowest('jitter') ?? DEFAULT_CERTIFICATES.jitter,
    key: narrowest('key') ?? DEFAULT_CERTIFICATES.key,
  };
}

/** Each key narrows by itself. */
export function resolveCapture(chain: Chain): CaptureSettings {
  const narrowest = <K extends keyof CaptureSettings>(key: K): CaptureSettings[K] => {
    for (const { capture } of chain) {
      const value = capture?.[key] as CaptureSettings[K] | undefined;
      if (value !== undefined) return value;
    }
    return DEFAULT_CAPTURE[key];
  };
  return {
    outbound: narrowest('outbound'),
    inbound: narrowest('inbound'),
    exclude: [...new Set(narrowest('exclude'))].sort((a, b) => a - b),
    undeclared: narrowest('undeclared'),
    egress: narrowest('egress'),
  };
}
