// Paths in rules. They are compared with what the connection manager made of a request's path: on a
// port whose rules look at paths it is normalised, and `%2F` refused unless the port forwards it.

import type { envoy } from '../gen/envoy.js';
import { type PathPattern, type Port, templateRegex } from '../policy/index.js';
import { toRegexMatcher } from './messages.js';

type Permission = envoy.config.rbac.v3.Permission;
type Policy = envoy.config.rbac.v3.Policy;
type StringMatcher = envoy.type.matcher.v3.StringMatcher;

export interface PathContext {
  readonly escapedSlashes: Port['escapedSlashes'];
  /**
   * The match refuses. Where `%2F` is forwarded, an application may take it for a slash: what
   * refuses then takes it for one too, while what grants stays exact.
   */
  readonly takesAway: boolean;
}

/** A slash as an application may read it that decodes first and merges then. */
const SEPARATOR = '(?:/|%2[fF]|%5[cC])+';
/** What normalisation leaves of a dot segment beside an escaped slash. */
const ESCAPED_DOTS = `(?:/|%2[fF]|%5[cC])\\.{1,2}(?:(?:/|%2[fF]|%5[cC]).*)?`;
/** RFC 3986 section 2.3: escapes of unreserved characters, which normalisation decodes. */
const NEEDLESS_ESCAPE = '%(?:2[dDeE]|3[0-9]|[46][1-9a-fA-F]|[57][0-9aA]|5[fF]|7[eE])';

export function toPaths(pattern: PathPattern, context: PathContext): Permission[] {
  if (context.takesAway && context.escapedSlashes === 'forward') return toLoosePaths(pattern);
  switch (pattern.kind) {
    case 'any':
      return [{ any: true }];
    case 'exact':
      return [toPath({ exact: pattern.text })];
    case 'suffix':
      return [toPath({ suffix: pattern.text })];
    case 'prefix': {
      const prefix = toPath({ prefix: pattern.text });
      return pattern.orExact === undefined
        ? [prefix]
        : [prefix, toPath({ exact: pattern.orExact })];
    }
    case 'template':
      // Not Envoy's uri_template: 1.40.0 dies of some templates, such as `/a/**/*`.
      return [toRegex(templateRegex(pattern.text))];
  }
}

function toLoosePaths(pattern: PathPattern): Permission[] {
  switch (pattern.kind) {
    case 'any':
      return [{ any: true }];
    case 'exact':
      return [toRegex(toLoose(pattern.text))];
    case 'suffix':
      return [toRegex(`.*${toLoose(pattern.text)}`)];
    case 'prefix': {
      const { text, orExact } = pattern;
      const prefix = toRegex(`${toLoose(text)}.*`);
      return orExact === undefined ? [prefix] : [prefix, toRegex(toLoose(orExact))];
    }
    case 'template':
      return [
        toRegex(
          templateRegex(pattern.text)
            .slice(1, -1)
            .split(/(\[\^\/\]\+)/)
            .map((part) => (part === '[^/]+' ? part : part.replaceAll('/', SEPARATOR)))
            .join(''),
        ),
      ];
  }
}

function toLoose(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll('/', SEPARATOR);
}

function toRegex(regex: string): Permission {
  return toPath(toRegexMatcher(regex));
}

function toPath(path: StringMatcher): Permission {
  return { urlPath: { path } };
}

/**
 * Refuses each path that isn't as rules expect it. Normalisation leaves none but, where `%2F` is
 * forwarded, dot segments beside it; on connections from before the port had rules about paths,
 * which are not normalised, it keeps those rules from being walked around until they are drained.
 */
export function toUnreadablePaths(escapedSlashes: Port['escapedSlashes']): Policy {
  const faults = [
    '.*//.*',
    '.*\\\\.*',
    '.*/\\.{1,2}(?:/.*)?',
    `.*${NEEDLESS_ESCAPE}.*`,
    escapedSlashes === 'reject' ? '.*%(?:2[fF]|5[cC]).*' : `.*${ESCAPED_DOTS}`,
  ];
  return {
    permissions: [{ orRules: { rules: faults.map(toRegex) } }],
    principals: [{ any: true }],
  };
}
