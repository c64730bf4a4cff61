// Which requests are tried again. One that no application has seen is tried elsewhere, whatever it
// asks for; one that an application may have seen only where trying is safe (RFC 9110 section
// 9.2.1), and only on the hop that reaches the application.
import { envoy } from '../gen/envoy.js';
import type { Port } from '../policy/index.js';
import { toEmptyAny } from './messages.js';
import { hasNamedTarget } from './target.js';

type RetryPolicy = envoy.config.route.v3.RetryPolicy;
type RouteMatch = envoy.config.route.v3.RouteMatch;
type LocalReplyConfig =
  envoy.extensions.filters.network.http_connection_manager.v3.LocalReplyConfig;

/**
 * By this header of an answer a sidecar says that it could not reach its application: to a caller
 * its 503 looks like any other. An application's own is removed, and callers never see it.
 */
export const UNREACHED_HEADER = 'x-countersign-unreached';

/**
 * UF: the connection failed. UH: health checks say that the application is down. NC: it has moved,
 * and its first health check isn't answered yet.
 */
const UNREACHED_FLAGS = ['UF', 'UH', 'NC'] as const;

/** Of a sidecar towards its application. */
export const UNREACHED_REPLY: LocalReplyConfig = {
  mappers: [
    {
      filter: { responseFlagFilter: { flags: UNREACHED_FLAGS } },
      headersToAdd: [
        {
          header: { key: UNREACHED_HEADER, value: 'true' },
          appendAction:
            envoy.config.core.v3.HeaderValueOption.HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
        },
      ],
    },
  ],
};

export const IS_UNREACHED = { name: UNREACHED_HEADER, presentMatch: true } as const;

/** RFC 9110 section 9.2.1. */
const SAFE_METHODS = 'GET|HEAD|OPTIONS|TRACE';
export const IS_SAFE: NonNullable<RouteMatch['headers']>[number] = {
  name: ':method',
  stringMatch: { safeRegex: { regex: SAFE_METHODS } },
};

/** Nothing of the request was sent, or the peer says that it did nothing with it. */
const UNSEEN = ['refused-stream', 'reset-before-request'];
/** The connection ended before a byte of the answer: applications close those that are idle. */
const UNANSWERED = 'reset';

/** An instance that went away between two pushes costs an attempt, not a failed request. */
const ELSEWHERE: RetryPolicy = {
  retryHostPredicate: [
    {
      name: 'envoy.retry_host_predicates.previous_hosts',
      typedConfig: toEmptyAny(
        'envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate',
      ),
    },
  ],
  hostSelectionRetryMaxAttempts: 3,
};

export interface Retries {
  readonly safe?: RetryPolicy;
  readonly other?: RetryPolicy;
}

/** Once, since a request may be what brings an application down. */
const AGAIN: RetryPolicy = { retryOn: [...UNSEEN, UNANSWERED].join(), numRetries: { value: 1 } };

/**
 * From a sidecar to its own application: to one that has a DNS name, and so perhaps many addresses,
 * as to a service of several. What may be tried again is kept until it is answered: bodies of
 * HTTP/1 for a single address aren't, which has no word for what an application has not seen.
 */
export function toApplicationRetries(port: Port): Retries {
  if (hasNamedTarget(port)) return TO_APPLICATIONS;
  if (port.protocol === 'http') return { safe: AGAIN };
  return { safe: AGAIN, other: { retryOn: UNSEEN.join(), numRetries: { value: 1 } } };
}

const TO_SIDECAR: RetryPolicy = {
  ...ELSEWHERE,
  retryOn: ['connect-failure', ...UNSEEN, 'retriable-headers'].join(),
  retriableHeaders: [IS_UNREACHED],
  numRetries: { value: 3 },
};

/** To the instances of a service, each of which has a sidecar. */
export const TO_SIDECARS: Retries = { safe: TO_SIDECAR, other: TO_SIDECAR };

/** To a service some or all of whose addresses have no sidecar. */
export const TO_ADDRESSES: Retries = {
  safe: {
    ...TO_SIDECAR,
    retryOn: [UNANSWERED, ...UNSEEN, 'retriable-headers'].join(),
    // A request that brings an application down doesn't bring down all of them.
    numRetries: { value: 2 },
  },
  other: TO_SIDECAR,
};

/** The same without a word of sidecars: what an application answers is its answer. */
const TO_APPLICATIONS: Retries = {
  safe: {
    ...ELSEWHERE,
    retryOn: [UNANSWERED, ...UNSEEN].join(),
    numRetries: { value: 2 },
  },
  other: { ...ELSEWHERE, retryOn: ['connect-failure', ...UNSEEN].join(), numRetries: { value: 3 } },
};
