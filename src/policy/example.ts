/** A commented mesh.yaml to start from (`countersign init`); it has no problems. */
export function exampleMesh(): string {
  return EXAMPLE;
}

const EXAMPLE = `# Who may talk to whom in this mesh, and how strictly.
# After a change: countersign check mesh.yaml

# The first part of every identity: spiffe://<trustDomain>/ns/<namespace>/sa/<service>.
# Choose it once: changing it later changes all identities.
trustDomain: shop.example

# strict: only mutual TLS. permissive: plain text too, from callers without a sidecar.
# disable: plain text. The narrowest setting wins: port, then service, namespace, mesh.
mtls: permissive

# What a port without rules of its own does: allow or deny.
access: allow

namespaces:
  payments:
    mtls: strict

services:
  # Without a slash a service is in the namespace "default".
  web:
    ports:
      8080: http

  payments/ledger:
    ports:
      8080:
        protocol: http          # http, http2, grpc or tcp
        target: 127.0.0.1:9080  # where the application listens; default: 127.0.0.1:<port>
        # Who may call; whatever matches no rule is refused.
        allow:
          - from: [web]
            methods: [GET, POST]
            paths: [/v1/*]

  # A service without a sidecar: its callers reach it in plain text.
  legacy-db:
    sidecar: false
    mtls: disable
    endpoints: [10.0.3.7]
    ports:
      5432: tcp

# How traffic reaches a sidecar. Unwritten: applications listen on 127.0.0.1 and call loopback
# addresses. transparent: they listen and call where they like, by rules of countersign capture.
# capture: { inbound: transparent, outbound: transparent }
`;
