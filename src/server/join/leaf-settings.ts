import type { LeafSettings } from '../../leaves/index.js';
import type { Service } from '../../policy/index.js';
import { parseSpiffeId } from '../../spiffe/index.js';

/** What a service's nodes are certified as. */
export function toLeafSettings({
  spiffeId,
  dnsNames,
  certificates,
  moving,
}: Service): LeafSettings {
  const { ttlMs, renewAt, jitter, key } = certificates;
  const certified = parseSpiffeId(moving?.certifiedAs ?? spiffeId);
  return { spiffeId: certified, dnsNames, ttlMs, renewAt, jitter, key };
}
