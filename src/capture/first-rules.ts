// The rules that a container which holds a network namespace begins with, until those that it is
// told are in force: whoever joins it that early must not be open for as long as Node needs to
// start. They are made with the image, since they are there before anything that could make them.
import { toRules } from './rules.js';

/** Nothing and nobody is left alone, whatever the rules that follow leave alone. */
const ALL = { inbound: true, outbound: true, exclude: [], uid: undefined } as const;

/** Texts for `nft -f`, by the name of a file. */
export const FIRST_RULES: ReadonlyMap<string, string> = new Map([
  ['both.nft', toRules(ALL)],
  ['inbound.nft', toRules({ ...ALL, outbound: false })],
]);
