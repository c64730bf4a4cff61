import { expect, test } from 'vitest';
import { runScript } from '../xds/script.js';
import { DELTA_SCRIPTS, SOTW_SCRIPTS } from '../xds/scripts.js';
import { createGrpcBackend } from './grpc-backend.js';

const scripts = [...SOTW_SCRIPTS, ...DELTA_SCRIPTS];

test('there are scripts', () => expect(scripts.length).toBeGreaterThan(0));

test.each(scripts)('over gRPC, $variant: $name', async (script) => {
  await runScript(script, await createGrpcBackend(script.variant));
});
