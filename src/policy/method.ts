// HTTP methods in rules. They are compared whole, and where a match grants with their case (RFC
// 9110 section 9.1), so what no real method can equal is an error: as a deny rule it would refuse
// nothing.
import { closest } from '../base/index.js';
import { expected, type Parsed, parsed } from './parsed.js';

/** RFC 9110 section 5.6.2, without the star, which looks like a pattern and isn't one here. */
const TOKEN = /^[!#$%&'+.^_`|~0-9A-Za-z-]+$/;

/** RFC 9110 section 9.3, and PATCH of RFC 5789. */
const COMMON = 'GET HEAD POST PUT DELETE OPTIONS TRACE PATCH'.split(' ');
/** In use (some by WebDAV, RFC 4918) though near a common one: no typing mistakes. */
const NEAR_COMMON: readonly string[] = ['LIST', 'MOVE', 'COPY', 'SET'];

export function tryMethod(text: string): Parsed<string> {
  if (text.includes('*')) {
    const hint = 'a method is named whole; leave `methods` out to mean all';
    return expected('a method such as GET, without *', hint);
  }
  if (!TOKEN.test(text)) return expected('a method such as GET');
  const upper = text.toUpperCase();
  if (upper === 'CONNECT') {
    return expected('a method that reaches applications', 'a WebSocket is a GET, over HTTP/2 too');
  }
  return text === upper
    ? parsed(text)
    : expected('a method in upper case, such as GET', `write ${upper}`);
}

/** The common method that `method` may be a mistyped form of. */
export function meantMethod(method: string): string | undefined {
  if (NEAR_COMMON.includes(method)) return undefined;
  const meant = closest(method, COMMON);
  return meant === method ? undefined : meant;
}
