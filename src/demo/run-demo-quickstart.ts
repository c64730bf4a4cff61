// The example mesh, envoy-examples/quickstart/mesh.yaml, as text. The demo runs it as it is,
// except for the addresses of its applications and for declared ports that this machine has taken.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { MeshError, systemErrorCode } from '../base/index.js';

export type DemoService = 'web' | 'reports' | 'payments/ledger' | 'payments/store';

export interface QuickstartService {
  readonly name: DemoService;
  readonly protocol: 'http' | 'tcp';
  /** The declared port, as the file has it. */
  readonly port: number;
  /** Where the application listens, as the file has it. */
  readonly target: string;
}

export const QUICKSTART_SERVICES: readonly QuickstartService[] = [
  { name: 'web', protocol: 'http', port: 8080, target: '127.0.0.1:9081' },
  { name: 'reports', protocol: 'http', port: 8080, target: '127.0.0.1:9082' },
  { name: 'payments/ledger', protocol: 'http', port: 8080, target: '127.0.0.1:9083' },
  { name: 'payments/store', protocol: 'tcp', port: 6000, target: '127.0.0.1:9084' },
];

/** The live edits, as a user would make them: a text in the file, and what replaces it. */
export const TO_STRICT = {
  from: 'mtls: permissive      #',
  to: 'mtls: strict          #',
} as const;
export const TO_SHORT_LEAVES = { from: 'ttl: 24h', to: 'ttl: 20s' } as const;

const FILE = fileURLToPath(new URL('../../envoy-examples/quickstart/mesh.yaml', import.meta.url));

/** @throws MeshError mesh-unreadable if the package lacks the example */
export async function readQuickstart(): Promise<string> {
  try {
    return await readFile(FILE, 'utf8');
  } catch (error) {
    const message = `expected the example mesh at ${FILE} but got ${systemErrorCode(error)}`;
    throw new MeshError('mesh-unreadable', message, { cause: error });
  }
}

/** The text with `from` replaced; MeshError `usage` unless it is there exactly once. */
export function replaceOnce(text: string, { from, to }: { from: string; to: string }): string {
  const parts = text.split(from);
  if (parts.length === 2) return parts.join(to);
  const message = `expected "${from}" once in the mesh file but got it ${parts.length - 1} times`;
  throw new MeshError('usage', message);
}

/** Gives a declared port another number, in every service that declares it. */
export function renamePort(text: string, { from, to }: { from: number; to: number }): string {
  return text.replace(new RegExp(`^( +)${from}:`, 'gm'), `$1${to}:`);
}
