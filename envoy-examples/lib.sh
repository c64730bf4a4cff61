# What the examples share. `. ../lib.sh` in bash, in an example's folder of a clone after `npm ci && npm run build`.
ENVOY=${ENVOY:-$(node ../../scripts/fetch-envoy.mjs)}

countersign() { node ../../dist/cli/main.js "$@"; }

# The server of this folder's mesh.yaml, in the background; returns when it is ready, or says why it isn't.
server() {
  countersign serve --mesh mesh.yaml "$@" > server.log 2>&1 &
  while ! grep -q ^ready: server.log; do
    kill -0 $! 2> /dev/null || { cat server.log; return 1; }
    sleep 0.2
  done 2> /dev/null
}

# application <http|tcp> <name> <port>: listens on 127.0.0.1, and answers with what reached it.
application() {
  node ../../dist/demo/echo-main.js "$1" "$2" 127.0.0.1 "$3" > "$2-application.log" &
}

# sidecar <service> <n>: a stock Envoy at 127.1.0.<n>, whose application calls others at 127.65.<n>.*
sidecar() {
  local folder=sidecars/${1//\//-}
  countersign bootstrap "$1" --address "127.1.0.$2" --outbound "127.65.$2.0/24" --out "$folder" \
    > "${1//\//-}-bootstrap.log" 2>&1 || return
  ENVOY=$ENVOY "$folder/run.sh" --concurrency 1 --log-level warning 2> "${1//\//-}-envoy.log" &
}

# address <service> <n>: where the application behind the sidecar at 127.1.0.<n> reaches that service.
address() {
  countersign hosts "$1" --outbound "127.65.$2.0/24" | cut -d ' ' -f 1
}
