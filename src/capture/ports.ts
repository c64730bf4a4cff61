/**
 * Where the kernel hands over what it captures. They are ours alone: nothing is ever called there
 * by these numbers, so that a sidecar that finds one of them as a destination closes (it would call
 * itself).
 */
export const CAPTURE_PORTS = { inbound: 15_006, outbound: 15_001 } as const;

/** Ports that capture leaves alone unless told otherwise: the way in for whoever repairs it. */
export const DEFAULT_EXCLUDE: readonly number[] = [22];
