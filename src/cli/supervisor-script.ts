// The script that keeps a sidecar running, and lets a new Envoy take over from the one that runs.

/**
 * Stays, and at SIGHUP lets a new Envoy take over the old one's sockets: Envoy's hot restart. By
 * default Envoys talk by an abstract socket, which whoever is on the host could use to take those
 * sockets; here it is in a folder of this user's own. Envoy chooses the number of its shared
 * memory, so that sidecars of one host keep apart. A new Envoy that can't begin ends with 1 within
 * a moment, and the old one goes on; after any other end nobody listens any more.
 */
export function toSupervisorScript(config: string): string {
  return `#!/bin/sh
# Starts this folder's sidecar by run.sh, and stays. At SIGHUP another Envoy, with the program and
# the files as they are then, takes over from it without a failed request.
cd "$(dirname "$0")" || exit
envoy=\${ENVOY:-envoy}
version=$("$envoy" --hot-restart-version 2>&1) || exit
folder=$(TMPDIR=/tmp mktemp -d) || exit
shared="--socket-path $folder/socket"
epoch=0 pid='' old='' hup='' term=''
trap 'hup=1' HUP
trap 'term=1' INT TERM

say() { echo "supervise.sh: $*" >&2; }
# Whether that is an Envoy of ours which runs: a pid may be somebody else's by now.
runs() { grep -qs "^PPid:.*[^0-9]$$$" "/proc/$1/status"; }

end() {
  for one in $pid $old; do runs "$one" && kill "$one"; done
  wait
  [ -s "$folder/id" ] && rm -f "/dev/shm/envoy_shared_memory_$(cat "$folder/id")0"
  rm -rf "$folder"
  exit "$1"
}

take_over() {
  if [ "$("$envoy" --hot-restart-version 2>&1)" != "$version" ]; then
    say "this Envoy can't take over from the one that runs: drain and restart the sidecar"
    return
  fi
  if ! "$envoy" --mode validate --log-level error -c ${config} >/dev/null; then
    say "Envoy refuses ${config}: the sidecar goes on as it is"
    return
  fi
  before=$pid
  HOT_RESTART="$shared --base-id $(cat "$folder/id") --restart-epoch $((epoch + 1))" \\
    ./run.sh "$@" &
  pid=$!
  sleep 2
  if runs "$pid"; then
    epoch=$((epoch + 1)) old=$before
    say "Envoy $pid takes over from $old"
    return
  fi
  wait "$pid"
  code=$?
  pid=$before
  [ "$code" = 1 ] || end "$code"
  say 'the new Envoy could not begin: the sidecar goes on as it is'
}

HOT_RESTART="$shared --use-dynamic-base-id --base-id-path $folder/id" ./run.sh "$@" &
pid=$!
while :; do
  wait "$pid"
  code=$?
  [ -z "$term" ] || end 0
  if [ -n "$hup" ]; then
    hup=''
    take_over "$@"
  elif ! runs "$pid"; then
    end "$code"
  fi
done
`;
}
