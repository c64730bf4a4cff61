// Which secrets a sidecar asks for is decided by names alone (toAskedSecrets); here it is compared
// with what the clusters and listeners of the goldens' meshes refer to.
import { describe, expect, it } from 'vitest';
import type { Json } from '../../src/cli/proto-json.js';
import {
  NOTHING_REVOKED,
  toAskedSecrets,
  toCallers,
  toSecrets,
} from '../../src/translate/index.js';
import { goldenCases, meshOfCase } from './golden-cases.js';
import { objectsIn, setsOf, translate } from './translated.js';

const PEMS = { keyPem: 'key', chainPem: 'chain', anchorsPem: 'anchors' };

/** Names of secrets that something of it takes by SDS. */
function referredTo(json: Json | readonly Json[]): readonly string[] {
  const names = [...objectsIn(json)].flatMap(({ name, sds_config }) =>
    typeof name === 'string' && sds_config !== undefined ? [name] : [],
  );
  return [...new Set(names)].sort();
}

describe.each(goldenCases)('%s', (name) => {
  const mesh = meshOfCase(name);
  const services = [...mesh.services.values()].filter(({ sidecar }) => sidecar);

  it.each(services.map((service) => [service.name, service] as const))(
    'a sidecar of %s asks for what its clusters and listeners refer to',
    (_name, service) => {
      const { clusters, listeners } = translate(mesh, { name: service.name });
      const { deniedIds } = NOTHING_REVOKED;
      const secrets = toSecrets(PEMS, toCallers({ mesh, service, deniedIds }));
      const isAsked = toAskedSecrets(
        setsOf(mesh, { name: service.name }),
        service.ports.length > 0,
      );
      const asked = secrets.map((secret) => secret.name).filter(isAsked);
      expect(asked.sort()).toEqual(referredTo([...clusters, ...listeners] as Json[]));
    },
  );
});
