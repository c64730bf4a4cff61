import { describe } from 'vitest';
import { MeshError } from '../../src/base/index.js';
import { findEnvoy } from '../../src/demo/find-envoy.js';

export interface EnvoyForTests {
  /** Path of the binary. */
  readonly binary: string;
}

export type EnvoySearch =
  | { readonly found: true; readonly envoy: EnvoyForTests }
  | { readonly found: false; readonly reason: string };

/**
 * Looks for an Envoy, of exactly `version` if given. Where none can be had: a reason to skip with,
 * but with CI=true the MeshError `envoy-missing` itself, since there a skipped test would pass for
 * a proof.
 */
export async function requireEnvoy(
  options: { version?: string } = {},
  { env = process.env, find = findEnvoy } = {},
): Promise<EnvoySearch> {
  try {
    return { found: true, envoy: { binary: await find({ ...options, env }) } };
  } catch (error) {
    if (!(error instanceof MeshError) || error.code !== 'envoy-missing') throw error;
    if (env['CI'] === 'true') throw error;
    return { found: false, reason: error.message };
  }
}

/**
 * `describe` for tests against real Envoys; `await` it at a file's top level. Skipped tests are
 * counted by vitest, and carry the reason in their name.
 */
export async function describeEnvoy(
  name: string,
  options: { readonly version?: string },
  body: (envoy: EnvoyForTests) => void,
): Promise<void> {
  const title = options.version === undefined ? name : `${name} (Envoy ${options.version})`;
  const search = await requireEnvoy(options);
  if (search.found) {
    describe(title, () => body(search.envoy));
    return;
  }
  // The body is collected too, so that each test it skips is counted; the binary is never run.
  describe.skip(`${title} [skipped: ${search.reason}]`, () => body({ binary: 'none' }));
}
