# One image for the server, for the command and for one-shot jobs: `countersign` is its entry point.
#
#   docker build -t countersign .
#   docker run --rm countersign --help
#
# It holds Node, the package as `npm pack` makes it, and what that depends on: no npm, no compiler.
# A second image has nft as well, for containers that hold a network namespace and its rules:
#
#   docker build --target capture -t countersign:capture .
FROM node:20-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY . .
RUN npm run build && npm pack --ignore-scripts --pack-destination /tmp \
  && mkdir -p /opt/countersign && tar -xzf /tmp/countersign-*.tgz -C /opt/countersign --strip-components=1 \
  && cp package-lock.json /opt/countersign/ && cd /opt/countersign && npm ci --ignore-scripts --omit=dev
RUN node scripts/first-rules.mjs /opt/first-rules

FROM debian:bookworm-slim AS runtime
LABEL org.opencontainers.image.title="Countersign" \
  org.opencontainers.image.description="An xDS management server that gives stock Envoy sidecars mutual TLS" \
  org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /usr/local/bin/node /usr/local/bin/node
COPY --from=build /opt/countersign /opt/countersign
# A new volume takes over the owner of the folder that it is mounted on.
RUN ln -s /opt/countersign/dist/cli/main.js /usr/local/bin/countersign \
  && install -d -m 0700 -o 10001 -g 10001 /data /identity \
  && install -d -m 0755 -o 10001 -g 10001 /mesh
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["countersign"]

# Only root can set rules; `--sleep` gives that up as soon as they are set. Healthy: they are there.
# Its entry point sets the strictest rules before Node starts: whoever joins is never open.
FROM runtime AS capture
USER 0:0
RUN command -v nft || (apt-get update && apt-get install -y --no-install-recommends nftables && rm -rf /var/lib/apt/lists/*)
COPY --from=build /opt/first-rules /opt/countersign/first-rules
COPY --from=build /build/scripts/capture-entry.sh /usr/local/bin/countersign-capture
ENTRYPOINT ["countersign-capture"]
HEALTHCHECK --interval=2s --timeout=10s --start-period=60s --retries=5 \
  CMD ["nft", "list", "table", "inet", "countersign"]
CMD ["capture", "--sleep"]

FROM runtime
ENV COUNTERSIGN_MESH=/mesh/mesh.yaml \
  COUNTERSIGN_DATA=/data \
  COUNTERSIGN_XDS=0.0.0.0:18000
VOLUME ["/data", "/mesh"]
EXPOSE 18000
HEALTHCHECK --interval=2s --timeout=10s --start-period=60s --retries=5 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:18080/readyz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["serve"]
