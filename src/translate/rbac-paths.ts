// Paths in rules. They are compared with what the connection manager made of a request's path: on a
// port whose rules look at paths it is normalised, and `%2F` refused unless the port forwards it.
// What grants is exact, what takes away matches each spelling (decision 035).

import type { envoy } from '../gen/envoy.js';
import {
  type Effect,
  type PathPattern,
  type Port,
  spellingsOf,
  templateRegex,
} from '../policy/index.js';
import { toRegexMatcher } from './messages.js';

type Permission = envoy.config.rbac.v3.Permission;
type Policy = envoy.config.rbac.v3.Policy;
type StringMatcher = envoy.type.matcher.v3.StringMatcher;

/** RFC 3986 section 2.3: escapes of unreserved characters, which normalisation decodes. */
const NEEDLESS_ESCAPE = '%(?:2[dDeE]|3[0-9]|[46][1-9a-fA-F]|[57][0-9aA]|5[fF]|7[eE])';

export function toPaths(pattern: PathPattern, effect: Effect): Permission[] {
  if (pattern.kind === 'any') return [{ any: true }];
  if (effect === 'takes') return [toRegex(spellingsOf(pattern))];
  switch (pattern.kind) {
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

function toRegex(regex: string): Permission {
  return toPath(toRegexMatcher(regex));
}

function toPath(path: StringMatcher): Permission {
  return { urlPath: { path } };
}

/** Where a segment ends, for an application that decodes first, or leaves out parameters. */
const SEGMENT_END = '(?:/|;|%2[fF]|%5[cC]|%3[bB])';

/**
 * Refuses each path that isn't as rules expect it, since an application may resolve it to one that
 * they would decide otherwise. Of dot segments normalisation leaves those beside an escaped slash
 * or a parameter (`/public/..;/admin`). The rest keeps rules from being walked around on
 * connections from before the port had rules about paths, which are not normalised, until they are
 * drained.
 */
export function toUnreadablePaths(escapedSlashes: Port['escapedSlashes']): Policy {
  const faults = [
    '.*//.*',
    '.*\\\\.*',
    `.*(?:/|%2[fF]|%5[cC])\\.{1,2}(?:${SEGMENT_END}.*)?`,
    `.*${NEEDLESS_ESCAPE}.*`,
    ...(escapedSlashes === 'reject' ? ['.*%(?:2[fF]|5[cC]).*'] : []),
  ];
  return {
    permissions: [
      { orRules: { rules: faults.map(toRegex) } },
      // Bytes that should have been escaped; a regular expression doesn't match those above ASCII.
      { notRule: toRegex('[!-~]*') },
    ],
    principals: [{ any: true }],
  };
}
