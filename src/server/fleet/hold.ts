/** Why a sidecar doesn't have the newest mesh yet. */
export interface Hold {
  /** The node that has it. */
  readonly canary: string;
  /** It rejected it; else it hasn't answered yet. */
  readonly isRejected: boolean;
}
