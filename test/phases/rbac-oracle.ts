import { strict as assert } from 'node:assert';
import { get, type Json, type JsonObject, list, text } from './json.js';

// What Envoy's RBAC filters decide, read from their configuration alone. Knows just what is
// emitted, and fails on anything else.

/** A request or a connection as the filters see it. */
export interface Seen {
  /** Undefined: plain text. */
  readonly tls: { readonly identity: string | undefined } | undefined;
  /** Undefined on a tcp connection. */
  readonly method: string | undefined;
  readonly path: string | undefined;
}

/** Whether a filter with these rules lets it through. */
export function lets(rules: Json | undefined, seen: Seen): boolean {
  assert(rules !== undefined, 'rules of an RBAC filter');
  const matched = Object.values(get(rules, 'policies') ?? {}).some(
    (policy) =>
      list(get(policy, 'permissions')).some((one) => permits(one, seen)) &&
      list(get(policy, 'principals')).some((one) => isPrincipal(one, seen)),
  );
  const action = text(get(rules, 'action')) ?? 'ALLOW';
  assert(action === 'ALLOW' || action === 'DENY', action);
  return action === 'ALLOW' ? matched : !matched;
}

function permits(permission: Json, seen: Seen): boolean {
  const [kind, value] = only(permission);
  switch (kind) {
    case 'any':
      return true;
    case 'and_rules':
      return list(get(value, 'rules')).every((one) => permits(one, seen));
    case 'or_rules':
      return list(get(value, 'rules')).some((one) => permits(one, seen));
    case 'not_rule':
      return !permits(value, seen);
    case 'header':
      assert(get(value, 'name') === ':method', 'a rule of another header');
      return seen.method !== undefined && matches(get(value, 'string_match'), seen.method);
    case 'url_path':
      return seen.path !== undefined && matches(get(value, 'path'), seen.path);
    default:
      throw new Error(`a permission of kind ${kind}`);
  }
}

function isPrincipal(principal: Json, seen: Seen): boolean {
  const [kind, value] = only(principal);
  switch (kind) {
    case 'any':
      return true;
    case 'and_ids':
      return list(get(value, 'ids')).every((one) => isPrincipal(one, seen));
    case 'or_ids':
      return list(get(value, 'ids')).some((one) => isPrincipal(one, seen));
    case 'not_id':
      return !isPrincipal(value, seen);
    case 'authenticated': {
      // Without a name: any TLS, with a certificate or without.
      const name = get(value, 'principal_name');
      if (seen.tls === undefined) return false;
      return name === undefined || matches(name, seen.tls.identity ?? '');
    }
    default:
      throw new Error(`a principal of kind ${kind}`);
  }
}

export function matches(matcher: Json | undefined, value: string): boolean {
  const { ignore_case: ignoreCase, ...rest } = (matcher ?? {}) as JsonObject;
  const [kind, wanted] = only(rest);
  if (kind === 'safe_regex') return new RegExp(`^(?:${text(get(wanted, 'regex'))})$`).test(value);
  const fold = (one: string): string => (ignoreCase === true ? one.toLowerCase() : one);
  const [a, b] = [fold(value), fold(String(wanted))];
  switch (kind) {
    case 'exact':
      return a === b;
    case 'prefix':
      return a.startsWith(b);
    case 'suffix':
      return a.endsWith(b);
    case 'contains':
      return a.includes(b);
    default:
      throw new Error(`a string matcher of kind ${kind}`);
  }
}

function only(value: Json): [string, Json] {
  const object = value as JsonObject;
  const [key, ...others] = Object.keys(object);
  if (key === undefined || others.length > 0) throw new Error(`one of: ${JSON.stringify(value)}`);
  return [key, object[key] as Json];
}
