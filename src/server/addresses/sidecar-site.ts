import type { AddressSet } from './address-range.js';

export interface ListeningAt {
  readonly host: string;
  readonly port: number;
}

/** The machine on which sidecars are judged. */
export interface SidecarSite {
  /** What the operator allows that can't be a sidecar's address otherwise. */
  readonly allowed: AddressSet;
  /** Whether an address is one of this machine. */
  readonly isOwn: (address: string) => boolean;
  /** The server's own ports. */
  readonly listening: readonly ListeningAt[];
}
