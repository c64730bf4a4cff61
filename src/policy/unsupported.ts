// What MODEL.md describes and this version does not do yet. It is refused by name, never ignored: a
// setting without effect would be a promise not kept.
import type { Section } from './schema.js';

const SCOPE = ['audit', 'jwt'];
const RULE = ['addresses', 'headers', 'hosts', 'claims'];

const KEYS: Readonly<Record<Section, readonly string[]>> = {
  mesh: [...SCOPE, 'external', 'gateways', 'federation'],
  namespace: SCOPE,
  service: [...SCOPE, 'metricsPort', 'certificate'],
  port: ['audit', 'jwt', 'probes', 'probePort'],
  health: [],
  tls: [],
  certificates: [],
  capture: [],
  authority: [],
  stepCa: [],
  rule: [...RULE, 'audit'],
  not: RULE,
  issuer: [],
  node: [],
};

const VALUES: Readonly<Record<string, readonly string[]>> = {
  protocol: ['tls', 'server-first'],
};

export function isUnsupportedKey(section: Section, key: string): boolean {
  return KEYS[section].includes(key);
}

/** Whether `value` is one that `key` will take in a later version. */
export function isUnsupportedValue(key: string, value: unknown): boolean {
  return typeof value === 'string' && (VALUES[key]?.includes(value) ?? false);
}
