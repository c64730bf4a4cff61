// What is wrong with the server's surroundings: it is found anew at each look, so that it ends when
// its cause does.

export const TROUBLE_KINDS = ['data-folder', 'data-file', 'disk', 'clock'] as const;

export interface Trouble {
  readonly kind: (typeof TROUBLE_KINDS)[number];
  /** A sentence that says what is wrong, and the way on. */
  readonly text: string;
}
