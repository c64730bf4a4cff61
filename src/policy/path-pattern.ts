// Path patterns of rules: read, and matched as MODEL.md "Access" says. Patterns are compared with
// paths after normalisation, so a pattern that no normalised path can equal is an error: as a
// deny rule it would refuse nothing.
import type { PathPattern } from './model.js';
import { expected, type Parsed, parsed } from './parsed.js';

/** RFC 3986 section 3.3: pchar and the slash (a star is taken out before). */
const PATH_TEXT = /^(?:[A-Za-z0-9\-._~!$&'()+,;=:@/]|%[0-9A-Fa-f]{2})*$/;
/**
 * RFC 3986 section 2.3: escapes of these are decoded, and slashes' refused, before rules see the
 * path.
 */
const NEEDLESS_ESCAPE = /%(?:2[dDeEfF]|3[0-9]|[46][1-9a-fA-F]|[57][0-9aA]|5[fFcC]|7[eE])/;
/** Envoy 1.40 ends its process on a template beyond these rules: no `=`, no empty segment. */
const TEMPLATE_SEGMENT = /^(?:\{\*\*?\}|[A-Za-z0-9\-._~!$&'()+,;:@%]+)$/;

export function tryPathPattern(text: string): Parsed<PathPattern> {
  const wrong = faultOf(text);
  if (wrong !== undefined) return wrong;
  if (text === '*') return parsed({ kind: 'any' });
  if (text.includes('{')) return tryTemplate(text);
  if (text.startsWith('*')) return parsed({ kind: 'suffix', text: text.slice(1) });
  if (!text.endsWith('*')) return parsed({ kind: 'exact', text });
  const prefix = text.slice(0, -1);
  const orExact = prefix.endsWith('/') ? prefix.slice(0, -1) : '';
  return parsed({ kind: 'prefix', text: prefix, ...(orExact === '' ? {} : { orExact }) });
}

function faultOf(text: string): Parsed<never> | undefined {
  if (/[?#]/.test(text)) return expected('a path without query and fragment');
  if (!text.startsWith('/') && !text.startsWith('*'))
    return expected('a path that begins with / or *');
  const bare = text.replaceAll(/\{\*\*?\}/g, '');
  if (/[{}]/.test(bare)) return expected('{*} or {**} as a whole segment of a path');
  const stars = bare.split('*').length - 1;
  if (stars > 1 || (stars === 1 && bare !== text)) {
    return expected('one * in a path, or {*} and {**}', 'a * at the end crosses slashes');
  }
  if (stars === 1 && !text.startsWith('*') && !text.endsWith('*')) {
    return expected('* at one end of a path', 'for one segment write {*}');
  }
  if (!PATH_TEXT.test(bare.replace('*', ''))) {
    return expected('a path of the characters that URLs allow', 'escape others, as in %20');
  }
  const needless = NEEDLESS_ESCAPE.exec(text)?.[0];
  if (needless !== undefined) {
    return expected(`a path without ${needless}, which is never left in a normalised path`);
  }
  if (/\/\/|\/\.{1,2}(?:\/|$)/.test(text)) {
    return expected('a normalised path', 'paths are compared after //, /./ and /../ are resolved');
  }
  return undefined;
}

function tryTemplate(text: string): Parsed<PathPattern> {
  const segments = text.slice(1).split('/');
  const last = segments.at(-1) === '' ? segments.slice(0, -1) : segments;
  if (!last.every((segment) => TEMPLATE_SEGMENT.test(segment))) {
    return expected('{*} or {**} as a whole segment of a path');
  }
  const rest = segments.indexOf('{**}');
  if (rest >= 0 && segments.slice(rest + 1).some((segment) => segment.startsWith('{'))) {
    return expected('{**} as the last placeholder of a path');
  }
  return parsed({ kind: 'template', text });
}

/**
 * A template as an anchored regular expression (RE2's and JavaScript's common part): `{*}` is one
 * segment, not empty; `{**}` any text. `/a/{**}` does not match `/a`.
 */
export function templateRegex(template: string): string {
  const parts = template.split(/(\{\*\*?\})/);
  const body = parts.map((part) => {
    if (part === '{*}') return '[^/]+';
    if (part === '{**}') return '.*';
    return part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  });
  return `^${body.join('')}$`;
}

/** Whether `path` (without its query, normalised) matches. */
export function pathMatches(pattern: PathPattern, path: string): boolean {
  switch (pattern.kind) {
    case 'any':
      return true;
    case 'exact':
      return path === pattern.text;
    case 'prefix':
      return path.startsWith(pattern.text) || path === pattern.orExact;
    case 'suffix':
      return path.endsWith(pattern.text);
    case 'template':
      return new RegExp(templateRegex(pattern.text)).test(path);
  }
}
