import { expect, it } from 'vitest';
import { describeEnvoy } from '../harness/index.js';
import { validateBootstrap } from '../harness/validate-bootstrap.js';
import { toGoldenBootstrap } from './golden-bootstrap.js';
import { goldenCases, parseGolden, readGoldens } from './golden-cases.js';

// Every golden is a configuration that a stock Envoy takes.

const goldens = goldenCases.flatMap((name) =>
  [...readGoldens(name)].map(([service, text]) => ({ name, service, golden: parseGolden(text) })),
);

it('there are goldens', () => {
  expect(goldens.length).toBeGreaterThan(0);
});

await describeEnvoy('envoy --mode validate', {}, ({ binary }) => {
  it.concurrent.each(goldens)('takes $name/$service', async ({ golden }) => {
    await validateBootstrap({ binary, bootstrap: toGoldenBootstrap(golden) });
  });

  it('refuses what it does not know', async () => {
    const [first] = goldens;
    const listeners = (first?.golden.listeners ?? []).map((one) => ({ ...one, no_such_field: 1 }));
    const bootstrap = toGoldenBootstrap({ ...first?.golden, listeners });
    const refusal = validateBootstrap({ binary, bootstrap });
    await expect(refusal).rejects.toMatchObject({
      code: 'child-failed',
      hint: expect.stringContaining('no_such_field'),
    });
  });
});
