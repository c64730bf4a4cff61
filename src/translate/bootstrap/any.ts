import type { google } from '../../gen/bootstrap.js';

/** @param typeName Full name of the message. */
export function toAny(typeName: string, message: { finish(): Uint8Array }): google.protobuf.Any {
  return { type_url: `type.googleapis.com/${typeName}`, value: message.finish() };
}
