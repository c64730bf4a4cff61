import { expect, test } from 'vitest';
import { ONE_TYPE_SCRIPTS } from '../xds/one-type-scripts.js';
import { runScript, SHORT } from '../xds/script.js';
import { DELTA_SCRIPTS, SOTW_SCRIPTS, TTL_SCRIPTS } from '../xds/scripts.js';
import { createGrpcBackend } from './grpc-backend.js';

const aggregated = [...SOTW_SCRIPTS, ...DELTA_SCRIPTS, ...TTL_SCRIPTS];

test('there are scripts', () => {
  expect(aggregated.length).toBeGreaterThan(0);
  expect(ONE_TYPE_SCRIPTS.length).toBeGreaterThan(0);
});

test.each(aggregated)('ADS over gRPC, $variant: $name', async (script) => {
  await runScript(script, await createGrpcBackend(script.variant));
});

test.each(ONE_TYPE_SCRIPTS)('$only over gRPC, $variant: $name', async (script) => {
  const typeUrl = SHORT[script.only ?? ''];
  await runScript(script, await createGrpcBackend(script.variant, typeUrl));
});
