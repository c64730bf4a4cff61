// The script that starts a sidecar's Envoy, and stops it in order. Told to stop, it has Envoy ask
// the server for a route configuration that there isn't, which the server takes for the sidecar's
// word that it goes (src/drains/departing.ts): its callers go over to other instances, then its
// listeners are withdrawn. The script sees that, and when nothing is open any more, in the kernel's
// tables of sockets, and ends Envoy.
//
// Nothing listens for this, so that no application can do it, and no port has to be free: a file of
// scoped routes, which Envoy watches, belongs to a listener that has no socket. It is added on the
// command line, since the folder may be read-only, and several sidecars may be started from one.
// The shell is any POSIX shell; what else it calls is in every image that has one.
import { DEPARTING_ROUTE } from '../drains/index.js';
import { MESH_PORT } from '../policy/index.js';
import { toScriptedEnvoyCommand } from './envoy-command.js';

const NAME = 'countersign-departing';
const TYPES = 'type.googleapis.com/envoy';
const FILTERS = `${TYPES}.extensions.filters`;
const V3 = { resource_api_version: 'V3' };
/** The shell's, of the folder in which the file is. */
const NOTE = '$note';

/** What is added to the bootstrap. */
const ADDED = {
  static_resources: {
    listeners: [
      {
        name: NAME,
        bind_to_port: false,
        address: { socket_address: { address: '127.0.0.1', port_value: 1 } },
        filter_chains: [
          {
            filters: [
              {
                name: 'envoy.filters.network.http_connection_manager',
                typed_config: {
                  '@type': `${FILTERS}.network.http_connection_manager.v3.HttpConnectionManager`,
                  stat_prefix: NAME,
                  scoped_routes: {
                    name: NAME,
                    scope_key_builder: {
                      fragments: [{ header_value_extractor: { name: NAME, index: 0 } }],
                    },
                    rds_config_source: { ads: {}, ...V3 },
                    scoped_rds: {
                      scoped_rds_config_source: {
                        path_config_source: { path: `${NOTE}/scopes.json` },
                        ...V3,
                      },
                    },
                  },
                  http_filters: [
                    {
                      name: 'envoy.filters.http.router',
                      typed_config: { '@type': `${FILTERS}.http.router.v3.Router` },
                    },
                  ],
                },
              },
            ],
          },
        ],
      },
    ],
  },
};

/** What makes Envoy ask. */
const SCOPE = {
  '@type': `${TYPES}.config.route.v3.ScopedRouteConfiguration`,
  name: NAME,
  route_configuration_name: DEPARTING_ROUTE,
  key: { fragments: [{ string_key: NAME }] },
};

/** The server is given three for callers that don't answer (src/server/fleet/departures.ts). */
const ANSWER_S = 5;
const MESH_PORT_HEX = MESH_PORT.toString(16).toUpperCase().padStart(4, '0');

/** What it is told, and where it may write. */
function toBeginning(command: string): string {
  return `#!/bin/sh
# Starts this folder's sidecar, wherever the folder is; ENVOY names another Envoy than that on PATH.
# SIGTERM stops it in order: its callers go over to other instances, it takes no new connections,
# what is open ends, then Envoy is ended; after STOP_WITHIN seconds in any case (8: Docker gives a
# stop 10), and at once by a second SIGTERM.
cd "$(dirname "$0")" || exit

# Where Envoy looks whether it is to say that it goes: a folder that nobody else writes to.
for dir in "\${TMPDIR:-/tmp}" /dev/shm "$PWD"; do
  note=$(mktemp -d "$dir/countersign.XXXXXX" 2>/dev/null) && break
done
why=
case $note in
'') why='no folder to write to, such as /tmp' ;;
*'"'* | *'\\'*) why="a quote in the path $note" && rmdir "$note" ;;
esac
case " $* " in
*' --config-yaml'*) why='--config-yaml, which it needs itself' && rmdir "$note" ;;
esac
if [ -n "$why" ]; then
  echo "run.sh: a stop will not be announced, because of $why" >&2
  exec ${command} "$@"
fi

`;
}

const SOCKETS = `say() { # <version> <scopes>
  printf '{"version_info":"%s","resources":[%s]}' "$1" "$2" >"$note/new" &&
    mv "$note/new" "$note/scopes.json"
}

alive() {
  case $(cat "/proc/$pid/stat" 2>/dev/null) in '' | *') Z '*) return 1 ;; esac
}

# Where Envoy listens, as the kernel writes addresses. Of an Envoy with rights of its own nobody may
# see which sockets are its: then where anybody does in this network.
listening() {
  alive || return 0
  fds=$(ls -l "/proc/$pid/fd" 2>/dev/null)
  tcp | grep ' 0A ' | while read -r line local remote state f5 f6 f7 uid f9 inode rest; do
    case $fds in '' | *"socket:[$inode]"*) echo "$local" ;; esac
  done
}

tcp() { cat "/proc/$pid/net/tcp" "/proc/$pid/net/tcp6" 2>/dev/null; }

# Connections that came in by a listener that is no longer there.
still_open() {
  now=" $(listening | tr '\\n' ' ') "
  came=
  for one in $before; do
    case $now in *" $one "*) continue ;; esac
    case $one in
    00000000:* | 00000000000000000000000000000000:*) one="[0-9A-F]+:\${one##*:}" ;;
    esac
    came="$came|$one"
  done
  if [ -z "$came" ]; then
    echo 0
  else
    tcp | grep -Ec "^ *[0-9]+: (\${came#|}) [0-9A-F:]+ 01 "
  fi
}

`;

const STOP = `# By a clock that nobody sets, where there is one.
seconds() {
  read -r up rest </proc/uptime || up=$(date +%s)
  up=\${up%.*}
}

# Whether to look once more, a moment later.
again() { # <until>
  seconds
  [ "$up" -lt "$1" ] && alive && sleep 0.1
}

listens() { listening | grep -q ':${MESH_PORT_HEX}$'; }

stop() {
  interrupted=1
  trap 'interrupted=1 && kill "$pid" 2>/dev/null' TERM INT HUP
  if [ -z "$pid" ]; then
    rm -rf "$note"
    exit 0
  fi
  seconds
  end=$((up + \${STOP_WITHIN:-8}))
  # A server that doesn't answer isn't waited for as long.
  answered=$((up + ${ANSWER_S}))
  [ "$answered" -lt "$end" ] || answered=$end
  before=$(listening)
  if listens; then
    say 1 '${JSON.stringify(SCOPE)}'
    while listens && again "$answered"; do :; done
  fi
  if ! listens; then
    while [ "$(still_open)" -gt 0 ] && again "$end"; do :; done
  fi
  kill "$pid" 2>/dev/null
}

`;

function toStart(command: string): string {
  return `pid=
trap stop TERM INT HUP
trap 'interrupted=1 && kill -USR1 "$pid"' USR1
say 0 ''
added=$(
  cat <<END
${JSON.stringify(ADDED)}
END
)
# Where there is a way, Envoy doesn't outlive this script however that is ended.
if setpriv --pdeathsig KILL true 2>/dev/null; then with='setpriv --pdeathsig KILL'; else with=; fi
$with ${command} --config-yaml "$added" "$@" &
pid=$!
interrupted=1
while [ -n "$interrupted" ]; do
  interrupted=
  wait "$pid"
  code=$?
done
rm -rf "$note"
exit "$code"
`;
}

/** `config` is the bootstrap, in the folder of the script. */
export function toRunScript(config: string): string {
  const command = toScriptedEnvoyCommand(config);
  return [toBeginning(command), SOCKETS, STOP, toStart(command)].join('');
}
