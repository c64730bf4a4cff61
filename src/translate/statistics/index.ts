// What sidecars report of themselves over their statistics sink: which of Envoy's gauges, and by
// what short names. Bootstraps have them fixed, so that a name never changes its meaning.

/** Short name of each, by Envoy's full one. */
export const STATISTICS = {
  /** The xxHash64 of the version of the listeners that it accepted last. */
  'listener_manager.lds.version': 'lds',
  /** Listeners that were accepted and aren't in force yet. At a first start it stays 0. */
  'listener_manager.total_listeners_warming': 'warming',
  /** Whole listeners, and chains of listeners, that were replaced and still serve connections. */
  'listener_manager.total_listeners_draining': 'draining-listeners',
  'listener_manager.total_filter_chains_draining': 'draining-chains',
  /** 0: live, 1: draining, 2 and 3: it starts. */
  'server.state': 'state',
} as const;

export type StatisticName = (typeof STATISTICS)[keyof typeof STATISTICS];

/** How often they come. */
export const STATISTICS_INTERVAL_MS = 2_000;

/** The attributes that say whose they are: what the node says of itself to discovery, too. */
export const STATISTICS_ATTRIBUTES = {
  node: 'countersign.node',
  address: 'countersign.address',
  listen: 'countersign.listen',
} as const;
