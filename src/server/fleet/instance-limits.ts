// How many sidecars there may be at once. Each is an endpoint at every caller of its service, has a
// leaf of its own, and makes every edit dearer: without a limit, whoever has a token of a service
// fills its callers with endpoints that don't exist.
import { MeshError } from '../../base/index.js';

export interface InstanceLimits {
  readonly perService: number;
  /** That joined by one token or certificate. */
  readonly perCredential: number;
}

export const DEFAULT_INSTANCE_LIMITS: InstanceLimits = { perService: 1_000, perCredential: 500 };

/** @param whose What has so many, in words. */
export function tooMany(whose: string, most: number): MeshError {
  return new MeshError('instance-limit', `expected at most ${most} sidecars ${whose} at once`);
}
