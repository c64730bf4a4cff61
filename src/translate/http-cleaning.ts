// What no message carries through a sidecar, whoever wrote it: words that sidecars alone may say.
// The name of the caller is one, which a trailer could give a second time; a header of that name is
// the connection manager's to replace. `x-envoy-…` are others: by them a request may set timeouts,
// retries and names of statistics of each Envoy that it passes. No regular expressions: each would
// be compiled for each listener.
import { envoy } from '../gen/envoy.js';
import { toAny } from './messages.js';
import { UNREACHED_HEADER } from './retries.js';

const mutation = envoy.extensions.filters.http.header_mutation.v3;
type HttpFilter = envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter;
type Removal = envoy.config.common.mutation_rules.v3.HeaderMutation;

/** Says who called; the connection manager replaces a header of this name. */
const CALLER_HEADER = 'x-forwarded-client-cert';

/**
 * The name, and with `_` for some or all of its hyphens: one to applications that take names into
 * environment variables (CGI, WSGI, PHP).
 */
function toSpellings(name: string): string[] {
  const [first = '', ...rest] = name.split('-');
  return rest.reduce(
    (heads, word) => heads.flatMap((head) => [`${head}-${word}`, `${head}_${word}`]),
    [first],
  );
}

/** Headers of a request that an application would take for its sidecar's. */
export const FORGED_CALLERS = toSpellings(CALLER_HEADER).filter((name) => name !== CALLER_HEADER);

const ENVOYS = toSpellings('x-envoy-').map(
  (prefix): Removal => ({ removeOnMatch: { keyMatcher: { prefix } } }),
);
const CALLERS = toSpellings(CALLER_HEADER).map((remove): Removal => ({ remove }));

/** The same on both sides of every hop, after access is decided and before the router. */
export const CLEANING: HttpFilter = {
  name: 'envoy.filters.http.header_mutation',
  typedConfig: toAny(
    'envoy.extensions.filters.http.header_mutation.v3.HeaderMutation',
    mutation.HeaderMutation,
    {
      mutations: {
        requestMutations: ENVOYS,
        requestTrailersMutations: [...ENVOYS, ...CALLERS],
        responseMutations: ENVOYS,
        responseTrailersMutations: [...ENVOYS, ...CALLERS, { remove: UNREACHED_HEADER }],
      },
    },
  ),
};
