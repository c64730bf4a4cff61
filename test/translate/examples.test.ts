import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { it } from 'vitest';
import { describeEnvoy } from '../harness/index.js';
import { validateBootstrap } from '../harness/validate-bootstrap.js';
import { meshOf } from '../policy/helpers.js';
import { toGoldenBootstrap } from './golden-bootstrap.js';
import { translate } from './translated.js';

// The meshes that users start from are ones that a stock Envoy takes, for each of their services.

const EXAMPLES = ['envoy-examples/quickstart'];

await describeEnvoy('examples', {}, ({ binary }) => {
  it.each(EXAMPLES)('%s', async (example) => {
    const path = fileURLToPath(new URL(`../../${example}/mesh.yaml`, import.meta.url));
    const mesh = meshOf(readFileSync(path, 'utf8'));
    for (const name of mesh.services.keys()) {
      await validateBootstrap({ binary, bootstrap: toGoldenBootstrap(translate(mesh, { name })) });
    }
  });
});
