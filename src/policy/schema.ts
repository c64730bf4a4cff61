// The one definition of mesh.yaml's shape: it validates, types the result and is the source of
// the JSON Schema for editors (`z.toJSONSchema(meshSchema, { io: 'input' })`). An `error` text
// here completes "expected … but got …"; shape.ts builds the sentence and its place. Keys of
// records (names, port numbers) are checked in keys.ts, so that what stands below a bad key is
// checked too.

import { z } from 'zod';
import { tryDurationMs } from '../base/index.js';
import { KEY_TYPES } from '../spiffe/index.js';
import { tryEndpoint, tryTarget } from './address.js';
import { tryAuthorityUrl, tryFilePath, tryProvisioner } from './authority.js';
import { tryCaller } from './caller.js';
import { captureSchema } from './capture-schema.js';
import { tryHealthPath } from './health.js';
import { ISSUER_KEYS, ISSUER_NODE_KEYS, issuersSchema } from './issuer-schema.js';
import { tryMethod } from './method.js';
import type { Mode, Protocol, ServiceName } from './model.js';
import { tryLabel, tryNameParts, tryTrustDomain } from './names.js';
import { type Parsed, parsed } from './parsed.js';
import { tryPathPattern } from './path-pattern.js';
import { list, oneOf, text } from './schema-parts.js';
import {
  CIPHER_SUITES,
  CURVES,
  JITTER,
  LONGEST_TTL_MS,
  RENEW_AT,
  SHORTEST_TTL_MS,
  TLS_VERSIONS,
} from './tls.js';

export const MODES: readonly Mode[] = ['strict', 'permissive', 'disable'];
export const PROTOCOLS: readonly Protocol[] = ['http', 'http2', 'grpc', 'tcp'];

const switchSchema = z.boolean({ error: 'true or false' });

const modeSchema = z.preprocess(
  (input) => (typeof input === 'string' ? input.toLowerCase() : input),
  oneOf(MODES),
);

const tlsSchema = z.strictObject(
  {
    minVersion: oneOf(TLS_VERSIONS).optional(),
    maxVersion: oneOf(TLS_VERSIONS).optional(),
    cipherSuites: z.array(oneOf(CIPHER_SUITES), { error: 'a list of cipher suites' }).optional(),
    curves: list(oneOf(CURVES), 'curves').optional(),
  },
  { error: 'a map of TLS settings' },
);

const ttlSchema = text('a duration from 10s to 90d', (input) => {
  const ttlMs = tryDurationMs(input);
  const fits = ttlMs !== undefined && ttlMs >= SHORTEST_TTL_MS && ttlMs <= LONGEST_TTL_MS;
  return fits ? { ok: true, value: ttlMs } : { ok: false, expected: 'a duration from 10s to 90d' };
});

const renewError = { error: `a number from ${RENEW_AT.min} to ${RENEW_AT.max}` };

const jitterError = { error: `a number from ${JITTER.min} to ${JITTER.max}` };

const certificatesSchema = z.strictObject(
  {
    ttl: ttlSchema.optional(),
    renewAt: z
      .number(renewError)
      .min(RENEW_AT.min, renewError)
      .max(RENEW_AT.max, renewError)
      .optional(),
    jitter: z
      .number(jitterError)
      .min(JITTER.min, jitterError)
      .max(JITTER.max, jitterError)
      .optional(),
    key: oneOf(KEY_TYPES).optional(),
  },
  { error: 'a map of certificate settings' },
);

const ruleFields = {
  from: list(text('a caller', tryCaller), 'callers').optional(),
  methods: list(text('a method such as GET', tryMethod), 'methods').optional(),
  paths: list(text('a path', tryPathPattern), 'paths').optional(),
};

const FIELDS = 'at least one of from, methods and paths';
const hasField = (fields: object): boolean => Object.keys(fields).length > 0;
/** A map with an unknown key isn't empty as its author sees it: only that key is reported. */
const fieldsRule = {
  error: FIELDS,
  when: ({ issues }: z.core.ParsePayload): boolean => issues.length === 0,
};

const notSchema = z
  .strictObject(ruleFields, { error: 'a map of rule fields' })
  .refine(hasField, fieldsRule);

const denyRuleSchema = z
  .strictObject({ ...ruleFields, not: notSchema.optional() }, { error: 'a rule' })
  .refine(hasField, fieldsRule);

const allowRuleSchema = z.strictObject(
  { ...ruleFields, from: list(text('a caller', tryCaller), 'callers'), not: notSchema.optional() },
  { error: 'a rule' },
);

const allowSchema = list(
  z.union([z.literal('inherit'), allowRuleSchema], { error: 'a rule or inherit' }),
  'rules',
);

/** What each of the four scopes can set. */
const scopeFields = {
  mtls: modeSchema.optional(),
  access: oneOf(['allow', 'deny']).optional(),
  tls: tlsSchema.optional(),
  allow: allowSchema.optional(),
  deny: list(denyRuleSchema, 'rules').optional(),
};

const protocolSchema = oneOf(PROTOCOLS);

const healthSchema = z.strictObject(
  { path: text('a path', tryHealthPath) },
  { error: 'a map with path' },
);

const portMapSchema = z.strictObject(
  {
    protocol: protocolSchema,
    target: text('an IP address or DNS name, with a port', tryTarget).optional(),
    escapedSlashes: oneOf(['reject', 'forward']).optional(),
    headerCase: oneOf(['lower', 'preserve']).optional(),
    health: healthSchema.optional(),
    ...scopeFields,
  },
  { error: 'a protocol or a map' },
);

const portSchema = z.union([protocolSchema, portMapSchema], {
  error: `${PROTOCOLS.join(', ')} or a map`,
});

function tryFormerName(input: string): Parsed<ServiceName> {
  const parts = tryNameParts(input);
  return parts.ok ? parsed(parts.value.name) : parts;
}

const serviceSchema = z.strictObject(
  {
    serviceAccount: text('a service account', (input) =>
      tryLabel(input, 'a service account'),
    ).optional(),
    formerly: list(text('a service name', tryFormerName), 'service names').optional(),
    ports: z.record(z.string(), portSchema, { error: 'a map of ports' }).optional(),
    sidecar: switchSchema.optional(),
    endpoints: list(text('an address', tryEndpoint), 'addresses').optional(),
    certificates: certificatesSchema.optional(),
    capture: captureSchema.optional(),
    ...scopeFields,
  },
  { error: 'a map of settings, or {} for none' },
);

const namespaceSchema = z.strictObject(
  {
    certificates: certificatesSchema.optional(),
    capture: captureSchema.optional(),
    ...scopeFields,
  },
  { error: 'a map of settings' },
);

const stepCaSchema = z.strictObject(
  {
    url: text('an https address', tryAuthorityUrl),
    root: text('the path of a file', tryFilePath),
    provisioner: text('the name of a provisioner', tryProvisioner),
    key: text('the path of a file', tryFilePath),
  },
  { error: 'a map of url, root, provisioner and key' },
);

const authoritySchema = z.strictObject({ stepCa: stepCaSchema }, { error: 'a map with stepCa' });

export const meshSchema = z.strictObject(
  {
    trustDomain: text('a trust domain', tryTrustDomain),
    authority: authoritySchema.optional(),
    certificates: certificatesSchema.optional(),
    capture: captureSchema.optional(),
    namespaces: z.record(z.string(), namespaceSchema, { error: 'a map of namespaces' }).optional(),
    services: z.record(z.string(), serviceSchema, { error: 'a map of services' }).optional(),
    nodeIssuers: issuersSchema.optional(),
    ...scopeFields,
  },
  { error: 'a map' },
);

export type MeshText = z.output<typeof meshSchema>;
export type ServiceText = z.output<typeof serviceSchema>;
export type PortText = z.output<typeof portMapSchema>;
export type ScopeText = Pick<PortText, keyof typeof scopeFields>;
export type CertificatesText = z.output<typeof certificatesSchema>;
export type RuleText = z.output<typeof denyRuleSchema>;

/** The kinds of map in a mesh file, with the keys that each takes. */
export const SECTION_KEYS = {
  mesh: Object.keys(meshSchema.shape),
  namespace: Object.keys(namespaceSchema.shape),
  service: Object.keys(serviceSchema.shape),
  port: Object.keys(portMapSchema.shape),
  health: Object.keys(healthSchema.shape),
  tls: Object.keys(tlsSchema.shape),
  certificates: Object.keys(certificatesSchema.shape),
  capture: Object.keys(captureSchema.shape),
  authority: Object.keys(authoritySchema.shape),
  stepCa: Object.keys(stepCaSchema.shape),
  rule: [...Object.keys(ruleFields), 'not'],
  not: Object.keys(ruleFields),
  issuer: ISSUER_KEYS,
  node: ISSUER_NODE_KEYS,
} as const satisfies Record<string, readonly string[]>;

export type Section = keyof typeof SECTION_KEYS;
