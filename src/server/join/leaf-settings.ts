import type { LeafSettings } from '../../leaves/index.js';
import type { Service } from '../../policy/index.js';
import { parseSpiffeId } from '../../spiffe/index.js';

/** What a service's nodes are certified as. */
export function toLeafSettings({ spiffeId, dnsNames, certificates }: Service): LeafSettings {
  const { ttlMs, renewAt, jitter, key } = certificates;
  return { spiffeId: parseSpiffeId(spiffeId), dnsNames, ttlMs, renewAt, jitter, key };
}
