// The resource types and how each one behaves on a stream: one table. `ORDER` is make before break:
// a type is sent after the types that it may refer to were answered, and a resource is taken away
// only after what used it is gone. A type that isn't listed is data: it is served, and waits for
// nothing. Rules: xDS protocol, "Eventual consistency considerations" and "Grouping Resources into
// Responses" (https://www.envoyproxy.io/docs/envoy/v1.36.2/api-docs/xds_protocol).

export const TYPE_URLS = {
  cluster: 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
  endpoint: 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment',
  listener: 'type.googleapis.com/envoy.config.listener.v3.Listener',
  scopedRoute: 'type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration',
  route: 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration',
  virtualHost: 'type.googleapis.com/envoy.config.route.v3.VirtualHost',
  secret: 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
  extension: 'type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig',
} as const;

export interface TypeTraits {
  /** A first request without names asks for everything (the legacy form of `*`). */
  readonly wildcard: boolean;
  /** SotW: a resource that a response leaves out is deleted by the client. */
  readonly absenceDeletes: boolean;
  /**
   * A subscription on a new stream is answered even where the client names our version: a cluster
   * or listener may be warming for just that answer.
   */
  readonly answerAlways: boolean;
  /** Types that a resource of this type may refer to by name. */
  readonly uses: readonly string[];
  /**
   * A response waits until of these types nothing is to be sent or unanswered that has to do with
   * its resources: that they refer to, or that refers to them, as far as anybody has said.
   */
  readonly after: readonly string[];
  /** A removal waits until these types are in force as the snapshot has them. */
  readonly removeAfter: readonly string[];
  /** And until these are, of clients that ask for them: most never do. */
  readonly removeAfterAsked?: readonly string[];
  /** A rejected response is held back whole: none of it is sent again to find what is at fault. */
  readonly allOrNone?: true;
  /**
   * Delta: a name that doesn't exist is answered by a resource of that alias without a body.
   * Whoever waits for it in the client doesn't hear of what is taken away.
   */
  readonly answersByName?: true;
  /** A changed resource makes the one of the same name of this type due again, changed or not. */
  readonly renews?: string;
}

const { cluster, endpoint, listener, scopedRoute, route, virtualHost, secret, extension } =
  TYPE_URLS;

/** The sequence in which types of one snapshot are considered; others follow them. */
export const ORDER: readonly string[] = [
  ...[cluster, secret, endpoint, listener, scopedRoute, route, virtualHost, extension],
];

const NAMED = { wildcard: false, absenceDeletes: false } as const;
const FULL_STATE = { wildcard: true, absenceDeletes: true, answerAlways: false } as const;

const TRAITS: ReadonlyMap<string, TypeTraits> = new Map<string, TypeTraits>([
  // A changed cluster warms until it gets its endpoints again, changed or not ("Resource warming").
  [
    cluster,
    {
      ...FULL_STATE,
      uses: [endpoint, secret],
      after: [],
      removeAfter: [listener, route],
      removeAfterAsked: [virtualHost],
      renews: endpoint,
    },
  ],
  // Envoy asks for a secret only after it got the cluster or listener that warms on it. One
  // rejected secret marks all as rejected and lets warming listeners go live without a certificate
  // (measured on 1.40.0): no trials.
  [
    secret,
    {
      ...NAMED,
      answerAlways: true,
      uses: [],
      after: [],
      removeAfter: [cluster, listener],
      allOrNone: true,
    },
  ],
  // Not `after: [cluster]`: Envoy acknowledges a changed cluster only when it is warm, which takes
  // its endpoints (measured on 1.40.0). That CDS goes first on the stream is enough.
  [endpoint, { ...NAMED, answerAlways: true, uses: [], after: [], removeAfter: [cluster] }],
  [
    listener,
    {
      ...FULL_STATE,
      uses: [cluster, secret, scopedRoute, route, extension],
      after: [cluster, secret, endpoint],
      removeAfter: [],
    },
  ],
  // Envoy hands SRDS on as the full state, as it does with LDS and CDS: a scope that a SotW
  // response leaves out is gone (source/common/router/scoped_rds.cc).
  [
    scopedRoute,
    {
      ...FULL_STATE,
      uses: [route],
      after: [cluster, secret, endpoint, listener],
      removeAfter: [],
    },
  ],
  [
    route,
    {
      ...NAMED,
      answerAlways: false,
      uses: [cluster, virtualHost],
      after: [cluster, secret, endpoint, listener, scopedRoute],
      removeAfter: [listener],
      removeAfterAsked: [scopedRoute],
    },
  ],
  // What Envoy asks for by name here holds a request up, until an answer has that name or alias
  // (source/common/router/rds_impl.cc).
  [
    virtualHost,
    {
      ...{ wildcard: true, absenceDeletes: false, answerAlways: false, answersByName: true },
      uses: [cluster],
      after: [],
      removeAfter: [],
    },
  ],
  [
    extension,
    {
      ...NAMED,
      answerAlways: false,
      uses: [cluster, secret],
      after: [],
      removeAfter: [listener],
    },
  ],
]);

const DATA: TypeTraits = {
  wildcard: true,
  absenceDeletes: false,
  answerAlways: false,
  uses: [],
  after: [],
  removeAfter: [],
};

/** How a type behaves; a type URL that we don't know is plain data. */
export function traitsOf(typeUrl: string): TypeTraits {
  return TRAITS.get(typeUrl) ?? DATA;
}
