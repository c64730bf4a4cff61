// Images of services as other people's compose files name them, made of this machine's Debian
// packages (nginx-light, redis-server, postgresql), for where nothing can be pulled. They are the
// real programs; of the images' own entry points they have what our files use.
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { filesOf, librariesOf, toArchive } from './debian-files.js';

export type BuildImage = (tag: string, context: string, lines: readonly string[]) => void;

const POSTGRES = '/usr/lib/postgresql';

export function makeServices(work: string, build: BuildImage): void {
  makeNginx(work, build);
  makeRedis(work, build);
  makePostgres(work, build);
}

const NGINX_CONF = `worker_processes 1;
error_log stderr;
events {}
http {
  access_log off;
  include /etc/nginx/mime.types;
  include /etc/nginx/conf.d/*.conf;
}
`;

function makeNginx(work: string, build: BuildImage): void {
  writeFileSync(join(work, 'nginx.conf'), NGINX_CONF);
  pack(work, { programs: [demand('nginx')], packages: ['nginx-common'], files: [] });
  build('nginx:1.27', work, [
    'FROM debian:bookworm-slim',
    'ADD files.tar /',
    'COPY nginx.conf /etc/nginx/nginx.conf',
    'RUN mkdir -p /var/log/nginx /var/lib/nginx && rm -f /etc/nginx/modules-enabled/*',
    'STOPSIGNAL SIGQUIT',
    `CMD ["nginx", "-g", "daemon off;"]`,
  ]);
}

function makeRedis(work: string, build: BuildImage): void {
  pack(work, { programs: [demand('redis-server'), demand('redis-cli')], packages: [], files: [] });
  build('redis:7', work, [
    'FROM debian:bookworm-slim',
    'ADD files.tar /',
    'WORKDIR /data',
    // As the image does it: whoever reaches the port is let in.
    'CMD ["redis-server", "--protected-mode", "no"]',
  ]);
}

/** As the image's own: a cluster at the first start, as its variables say. */
const POSTGRES_START = `#!/bin/bash
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  method=\${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
  initdb --username="$POSTGRES_USER" --auth=trust \\
    --pwfile=<(printf '%s' "$POSTGRES_PASSWORD") >/dev/null
  echo "host all all all $method" >>"$PGDATA/pg_hba.conf"
  pg_ctl -w -o '-c listen_addresses= -c unix_socket_directories=/tmp' start >/dev/null
  createdb -h /tmp -U "$POSTGRES_USER" "\${POSTGRES_DB:-$POSTGRES_USER}"
  pg_ctl -w stop >/dev/null
fi
exec postgres -c listen_addresses='*' -c unix_socket_directories=/var/run/postgresql
`;

function makePostgres(work: string, build: BuildImage): void {
  const version = existsSync(POSTGRES) ? readdirSync(POSTGRES).at(-1) : undefined;
  if (version === undefined) throw new Error('expected PostgreSQL: apt-get install postgresql');
  const folder = join(POSTGRES, version, 'bin');
  const programs = readdirSync(folder).map((name) => join(folder, name));
  const start = join(work, 'start');
  writeFileSync(start, POSTGRES_START);
  chmodSync(start, 0o755);
  const packages = [`postgresql-${version}`, `postgresql-client-${version}`, 'tzdata'];
  pack(work, { programs, packages, files: ['/etc/passwd', '/etc/group'] });
  build('postgres:16', work, [
    'FROM debian:bookworm-slim',
    'ADD files.tar /',
    'COPY start /usr/local/bin/start',
    'RUN install -d -o postgres -g postgres -m 0700 /var/lib/postgresql/data && ' +
      'install -d -o postgres -g postgres /var/run/postgresql',
    `ENV PATH=${folder}:/usr/local/bin:/usr/bin:/bin LC_ALL=C.UTF-8`,
    'ENV PGDATA=/var/lib/postgresql/data',
    'USER postgres',
    'STOPSIGNAL SIGINT',
    'ENTRYPOINT ["start"]',
  ]);
}

/** @throws Error: a package is missing */
function demand(program: string): string {
  try {
    const found = execFileSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' });
    return found.trim();
  } catch {
    const packages = 'apt-get install nginx-light redis-server postgresql';
    throw new Error(`expected ${program} on this machine, for its image: ${packages}`);
  }
}

interface Packed {
  readonly programs: readonly string[];
  readonly packages: readonly string[];
  readonly files: readonly string[];
}

function pack(work: string, { programs, packages, files }: Packed): void {
  const all = [...filesOf(packages), ...programs, ...librariesOf(programs), ...files];
  // A link, as /usr/bin/redis-cli is one, and what it leads to.
  const named = programs.flatMap((path) => [path, realpathSync(path)]);
  writeFileSync(join(work, 'files.tar'), toArchive([...all, ...named]));
}
