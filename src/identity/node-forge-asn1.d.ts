// The types of node-forge describe its main module only. That one costs 90 ms more to load than the
// part that we use, and start-up time is a goal. They also miss the options of fromDer.
declare module 'node-forge/lib/asn1.js' {
  import type { asn1 } from 'node-forge';

  interface FromDerOptions {
    readonly strict: boolean;
    readonly parseAllBytes: boolean;
    /** Look for nested values within bit strings. */
    readonly decodeBitStrings: boolean;
  }

  const module: Pick<typeof asn1, 'Class' | 'Type' | 'create' | 'toDer' | 'oidToDer'> & {
    fromDer(bytes: string, options: FromDerOptions): asn1.Asn1;
  };
  export default module;
}
