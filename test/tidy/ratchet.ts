// What exceeds a limit today, with its size. A number may only fall; at the limit the entry goes.

/** Lines, over the 500 of a file. */
export const LONG_FILES: Readonly<Record<string, number>> = {};

/** Lines of the longest function, over 70. */
export const LONG_FUNCTIONS: Readonly<Record<string, number>> = {};

/** How many lines are wider than 100 columns. */
export const WIDE_LINES: Readonly<Record<string, number>> = {};

/** Classes of over 200 lines. */
export const LARGE_CLASSES: Readonly<Record<string, number>> = {};

/** Faces of more than 25 names. */
export const WIDE_FACES: Readonly<Record<string, number>> = {
  // What everybody stands on.
  'src/base/index.ts': 41,
  'src/ca/index.ts': 28,
  // The library's, passed on by src/grpc/library.ts.
  'src/grpc/index.ts': 35,
  // With what services are called and known by.
  'src/policy/index.ts': 44,
  'src/translate/index.ts': 28,
  'src/xds/index.ts': 58,
};

/** How many functions of over 60 lines a test file has. */
export const LONG_TEST_FUNCTIONS: Readonly<Record<string, number>> = {
  'test/backup/backup.test.ts': 3,
  'test/backup/passphrase.test.ts': 1,
  'test/backup/sealed.test.ts': 1,
  'test/ca/authority.test.ts': 1,
  'test/ca/root-change.test.ts': 1,
  'test/ca/server-credential.test.ts': 1,
  'test/ca/step-ca/step-ca-open.test.ts': 1,
  'test/ca/step-ca/step-ca.test.ts': 2,
  'test/cli/backup.test.ts': 2,
  'test/cli/bootstrap-cert.test.ts': 1,
  'test/cli/ca.test.ts': 1,
  'test/cli/cert-p12.test.ts': 1,
  'test/cli/cert-server.test.ts': 1,
  'test/cli/cert.test.ts': 1,
  'test/cli/data-folder.test.ts': 2,
  'test/cli/main.test.ts': 1,
  'test/cli/orders.test.ts': 1,
  'test/cli/render.test.ts': 1,
  'test/cli/revoke.test.ts': 1,
  'test/cli/serve.test.ts': 2,
  'test/cli/server-commands.test.ts': 2,
  'test/cli/step-ca.test.ts': 1,
  'test/data/data-dir.test.ts': 1,
  'test/data/orders/orders.test.ts': 2,
  'test/envoy/applications.test.ts': 1,
  'test/envoy/backup.test.ts': 1,
  'test/envoy/bind.test.ts': 1,
  'test/envoy/certificate-clients.test.ts': 1,
  'test/envoy/changes.test.ts': 1,
  'test/envoy/drain.test.ts': 1,
  'test/envoy/first-word.test.ts': 1,
  'test/envoy/identities.test.ts': 1,
  'test/envoy/instances.test.ts': 1,
  'test/envoy/lifecycle.test.ts': 1,
  'test/envoy/modes.test.ts': 3,
  'test/envoy/node-authentication.test.ts': 1,
  'test/envoy/rejections.test.ts': 1,
  'test/envoy/root-change.test.ts': 1,
  'test/envoy/rules.test.ts': 1,
  'test/envoy/taken-away.test.ts': 1,
  'test/envoy/transports.test.ts': 1,
  'test/envoy/ttl.test.ts': 1,
  'test/grpc/client-status.test.ts': 1,
  'test/grpc/discovery.test.ts': 3,
  'test/grpc/failures.test.ts': 1,
  'test/grpc/grpc-backend.ts': 1,
  'test/grpc/limits.test.ts': 3,
  'test/grpc/protos.test.ts': 2,
  'test/harness/envoy.test.ts': 1,
  'test/harness/harness.ts': 1,
  'test/harness/pieces.test.ts': 1,
  'test/harness/start-mesh.ts': 1,
  'test/leaves/leaf-manager.test.ts': 2,
  'test/policy/identities.test.ts': 1,
  'test/policy/narrowing.test.ts': 1,
  'test/policy/resolve.test.ts': 1,
  'test/revocation/revocation.test.ts': 1,
  'test/server/ca/ca-change.test.ts': 2,
  'test/server/join/certificate-port.test.ts': 1,
  'test/server/join/issuer-discovery.test.ts': 1,
  'test/server/join/issuers.test.ts': 2,
  'test/server/join/proof.test.ts': 1,
  'test/server/mesh/edits.test.ts': 1,
  'test/server/mesh/rollout-record.test.ts': 1,
  'test/server/revocation/revocation-source.test.ts': 2,
  'test/server/status/horizon-watch.test.ts': 1,
  'test/server/status/horizon.test.ts': 2,
  'test/step-ca/issuing.test.ts': 1,
  'test/step-ca/mesh.test.ts': 2,
  'test/tokens/token-key-rotation.test.ts': 1,
  'test/tokens/token.test.ts': 2,
  'test/translate/security.test.ts': 2,
  'test/x509/certificates.test.ts': 1,
  'test/x509/client-certificate.test.ts': 1,
  'test/x509/crl.test.ts': 3,
  'test/x509/csr.test.ts': 1,
  'test/x509/der-writer.test.ts': 1,
  'test/xds/cache.test.ts': 2,
  'test/xds/session.property.test.ts': 1,
  'test/xds/standing.test.ts': 1,
};

/** What only tests import, `file: name`, and why that is right. */
export const FOR_TESTS: ReadonlyMap<string, string> = new Map([
  [
    'src/translate/bootstrap/statistics-sink.ts: toStatistics',
    'used by the face of its folder, which has a body',
  ],
]);

/** Files that import one another, in the order of their paths. */
export const CIRCLES: readonly string[] = [];
