// Health checks that mesh.yaml asks for: a path that an application answers while it is well.
import { expected, type Parsed, parsed } from './parsed.js';

/** RFC 9112 section 3.2.1: origin-form, its query too. */
const ORIGIN_FORM = /^\/[!-"$-~]*$/;

export function tryHealthPath(text: string): Parsed<string> {
  return ORIGIN_FORM.test(text)
    ? parsed(text)
    : expected('a path that begins with / and has neither spaces nor #');
}
