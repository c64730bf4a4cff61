// The forms of a port that may be in force on some sidecar while it is changed, and for as long as
// a sidecar is mute. Many edits under a mute sidecar cost no more than some.
import { haveSameMeaning, type Port } from '../../policy/index.js';

/**
 * What all last agreed on, and the newest. Without those between, a call of a sidecar that is stuck
 * on just such a one may fail until it answers; nobody is let in by that, and what it was to end is
 * marked all the same.
 */
export const MOST_FORMS = 8;

/** Once `next` may be in force too, which comes last. */
export function withForm(forms: readonly Port[], next: Port): readonly Port[] {
  const others = forms.filter((form) => !haveSameMeaning(form, next));
  const [first] = others;
  const kept =
    others.length < MOST_FORMS || first === undefined
      ? others
      : [first, ...others.slice(2 - MOST_FORMS)];
  return [...kept, next];
}
