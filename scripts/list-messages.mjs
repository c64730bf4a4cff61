// docs/api-envoy.md: which messages `countersign/envoy` has, by package. test/grpc/package.test.ts
// compares.
//   node scripts/list-messages.mjs > docs/api-envoy.md
import * as api from '../src/gen/api.js';

/** `[package, messages]` of all below a namespace, those of messages left out. */
function* packagesOf(namespace, name) {
  const entries = Object.entries(namespace);
  const messages = entries.flatMap(([key, value]) => (value.encode ? key : [])).sort();
  if (messages.length > 0) yield [name, messages];
  for (const [key, value] of entries) {
    const isPackage = typeof value === 'object' && /^[a-z]/.test(key);
    if (isPackage) yield* packagesOf(value, `${name}.${key}`);
  }
}

const rows = [...packagesOf(api.envoy, 'envoy')].sort(([a], [b]) => (a < b ? -1 : 1));
process.stdout.write(`# countersign/envoy: messages

Envoy's v3 messages, each with \`encode(message).finish()\` and \`decode(bytes)\`, and typed: a
misspelt field doesn't compile. A message is found by its full name:
\`envoy.config.cluster.v3.Cluster\`. Nested ones and enums are within theirs. Types of protobuf, and
of xDS itself, are \`google\` and \`xds\`. From the protos in \`@grpc/grpc-js-xds\`; this page is
made by \`scripts/list-messages.mjs\`.

| package | messages |
|---|---|
${rows.map(([name, messages]) => `| \`${name}\` | ${messages.join(', ')} |`).join('\n')}
`);
