// `bootstrap --secrets-only`: for an Envoy whose configuration is its operator's own, and that
// takes its certificate and the trust anchors from the server, over SDS.
import { Option } from 'commander';
import { usage } from './options.js';

export interface SecretsOnlyGiven {
  readonly secretsOnly?: boolean;
  readonly out?: string;
  readonly tokenFile?: string;
  readonly cert?: string;
  readonly address?: string;
  readonly listen?: 'any';
  readonly outbound?: string;
  readonly envoyAdminPort?: number;
}

/** What its own configuration says, and the server is never told. */
const OWN = [
  ['address', '--address'],
  ['listen', '--listen'],
  ['outbound', '--outbound'],
  ['envoyAdminPort', '--envoy-admin-port'],
] as const;

export function secretsOnlyOption(): Option {
  const what = 'for an Envoy with a configuration of its own: what to add to that';
  return new Option('--secrets-only', what);
}

/** @throws MeshError usage */
export function checkSecretsOnly(given: SecretsOnlyGiven): void {
  if (given.secretsOnly !== true) return;
  const [, flag] = OWN.find(([name]) => given[name] !== undefined) ?? [];
  if (flag !== undefined) {
    throw usage(
      `expected --secrets-only or ${flag} but got both`,
      'that is for the Envoy itself to say',
    );
  }
  const proofs = [given.out, given.tokenFile, given.cert];
  if (proofs.some((one) => one !== undefined)) return;
  const message = 'expected --secrets-only with --out, --token-file or --cert but got it alone';
  throw usage(message, 'the token is in a file of its own, to be renewed without a restart');
}
