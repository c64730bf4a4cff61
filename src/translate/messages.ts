// Small pieces of protobuf that every feature needs: Any, durations, addresses, ADS config sources.
import { toSecondsAndNanos } from '../base/index.js';
import { type Encoder, envoy, type google } from '../gen/envoy.js';

type Any = google.protobuf.Any;

/** An Any of the message: `type.googleapis.com/<name>` and its bytes. */
export function toAny<T>(typeName: string, encoder: Encoder<T>, message: T): Any {
  return { type_url: `type.googleapis.com/${typeName}`, value: encoder.encode(message).finish() };
}

/** An Any of a message without fields. */
export function toEmptyAny(typeName: string): Any {
  return { type_url: `type.googleapis.com/${typeName}`, value: new Uint8Array() };
}

export const NO_LIMIT: google.protobuf.Duration = { seconds: 0 };

/** Protobuf duration of a whole number of milliseconds. */
export function toDuration(ms: number): google.protobuf.Duration {
  return toSecondsAndNanos(ms);
}

export function toTcpAddress(address: string, port: number): envoy.config.core.v3.Address {
  return { socketAddress: { address, portValue: port } };
}

/**
 * Fetch from the ADS stream that delivered this. Secrets, routes and extension configurations wait
 * for ever rather than go live without (`initial_fetch_timeout: 0s`); endpoints keep Envoy's 15 s.
 */
export const ADS_OR_WAIT: envoy.config.core.v3.ConfigSource = {
  ads: {},
  resourceApiVersion: envoy.config.core.v3.ApiVersion.V3,
  initialFetchTimeout: NO_LIMIT,
};

export const ADS: envoy.config.core.v3.ConfigSource = {
  ads: {},
  resourceApiVersion: envoy.config.core.v3.ApiVersion.V3,
};

/**
 * Matches a text as a whole. Envoy refuses a program above 100 steps, which a path soon has, unless
 * the matcher itself sets its limit (a deprecated field, which 1.36 to 1.40 heed).
 */
export function toRegexMatcher(regex: string): envoy.type.matcher.v3.StringMatcher {
  return { safeRegex: { regex, googleRe2: { maxProgramSize: { value: 100_000 } } } };
}
