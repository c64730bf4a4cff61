/** Of the services by which requests are walked. */
export const PORTS = { open: 8080, case: 8081, grpc: 8082 } as const;
/** Of `app`: streams that nobody reads. */
export const UNREAD = { http: 8083, http2: 8084 } as const;
/** Of `app`: rules that look at paths, and a port that gets some later. */
export const PATHS = { looked: 8085, forward: 8086, later: 8087 } as const;

/** Longer than what Envoy takes of a regular expression by itself. */
export const LONG = `/long/${'segment/'.repeat(20)}`;

const RULES = `
        allow:
          - { from: [anyone], paths: [/v1/*], not: { paths: [/v1/admin/*] } }
          - { from: [anyone], paths: ["/items/{*}/price", "${LONG}{*}"] }
        deny:
          - paths: [/v1/secret, "/v1/{*}/hidden/{**}", "/v1/users:reset", "/v1/caf%C3%A9"]
          - paths: ["*.bak", "/v1/a@,+=$!&'()b", "${LONG}a:b"]
`;

/** The ports of `PATHS` as mesh.yaml has them; `later`: rules of the last. */
export function pathPorts(target: (port: number) => string, later: string): string {
  return `      ${PATHS.looked}:
        protocol: http
        target: ${target(PATHS.looked)}
${RULES}
      ${PATHS.forward}:
        protocol: http
        target: ${target(PATHS.forward)}
        escapedSlashes: forward
${RULES}
      ${PATHS.later}:
        protocol: http
        target: ${target(PATHS.later)}
${later}
`;
}
