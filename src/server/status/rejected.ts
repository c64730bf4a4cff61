// How what a sidecar rejected is named for people.
import { toPlace } from '../../base/index.js';
import { DISCOVERY_TYPES } from '../../translate/index.js';
import type { Rejection } from '../../xds/index.js';

/** `lds` of a type URL. */
export function toTypeName(typeUrl: string): string {
  return Object.entries(DISCOVERY_TYPES).find(([, url]) => url === typeUrl)?.[0] ?? typeUrl;
}

/** Places of the rejected resources, each once. */
export function toSources(resources: Rejection['resources']): string {
  const places = resources.flatMap(({ source }) => (source === undefined ? [] : [toPlace(source)]));
  return [...new Set(places)].join(', ');
}
