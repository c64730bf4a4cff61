/**
 * Where messages go: a fixed sentence and fields (pino's own shape). Never a private key or a
 * token.
 */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
