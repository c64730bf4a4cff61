// How traffic reaches a sidecar, as mesh.yaml says it.
import { z } from 'zod';
import { CAPTURE_PORTS, DEFAULT_EXCLUDE } from '../capture/index.js';
import type { CaptureSettings } from './model.js';
import { list, oneOf } from './schema-parts.js';

const port = 'a port from 1 to 65535';
const portSchema = z
  .number({ error: port })
  .int({ error: port })
  .min(1, { error: port })
  .max(65_535, { error: port });

export const captureSchema = z.strictObject(
  {
    outbound: oneOf(['loopback', 'transparent', 'none']).optional(),
    inbound: oneOf(['bind', 'transparent']).optional(),
    exclude: list(portSchema, 'ports').optional(),
    undeclared: oneOf(['pass', 'refuse']).optional(),
    egress: oneOf(['any', 'registry']).optional(),
  },
  { error: 'a map of capture settings' },
);

export type CaptureText = z.output<typeof captureSchema>;

export const DEFAULT_CAPTURE: CaptureSettings = {
  outbound: 'loopback',
  inbound: 'bind',
  exclude: DEFAULT_EXCLUDE,
  undeclared: 'pass',
  egress: 'any',
};

/** What the sidecars of a service listen on by themselves, beside the mesh port. */
export function capturePortsOf({ inbound, outbound }: CaptureSettings): readonly number[] {
  return [
    ...(inbound === 'transparent' ? [CAPTURE_PORTS.inbound] : []),
    ...(outbound === 'transparent' ? [CAPTURE_PORTS.outbound] : []),
  ];
}
