// A host with a /etc, /var, /opt, /root and /usr/local of its own over the machine's: what is
// installed there is gone with it. What isn't listed is the machine's, so no service manager is
// started there: it would clean what it shares.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Harness } from '../harness/index.js';
import { type Host, type HostKind, startHost } from './host.js';
import { ROOT } from './markdown.js';

const OWN = ['etc', 'var', 'opt', 'root', 'usr/local'] as const;

const MACHINE: HostKind = {
  prepare(folder) {
    const layers = join(folder, 'layers');
    mkdirSync(layers);
    return [
      `mount -t tmpfs tmpfs ${layers}`,
      ...OWN.flatMap((path) => {
        const [upper, work] = [join(layers, 'upper', path), join(layers, 'work', path)];
        const options = `lowerdir=/${path},upperdir=${upper},workdir=${work}`;
        return [`mkdir -p ${upper} ${work}`, `mount -t overlay overlay -o ${options} /${path}`];
      }),
      'touch /etc/host-of-a-test',
    ].join('\n');
  },
};

export async function startMachine(harness: Harness, name: string): Promise<Host> {
  const host = await startHost(harness, name, MACHINE);
  const script = `#!/bin/sh\nexec ${process.execPath} ${ROOT}test/documents/systemctl.mjs "$@"\n`;
  put(host, 'systemctl', script);
  return host;
}

function put(host: Host, name: string, script: string): void {
  writeFileSync(join(host.programs, name), script, { mode: 0o755 });
}

/** Programs that reach the files of a terminal's peer as the real ones do by the network. */
export function standInForSsh(host: Host): void {
  const there = 'nsenter --mount=/proc/self/fd/3';
  put(host, 'ssh', `#!/bin/sh -e\nshift\nexec ${there} sh -ec "$*"\n`);
  put(
    host,
    'scp',
    `#!/bin/sh -e
while case $1 in -*) true ;; *) false ;; esac; do shift; done
tar -C "$(dirname "$1")" -cf - "$(basename "$1")" | ${there} sh -ec '
  folder=$(mktemp -d)
  tar -C "$folder" --no-same-owner -xpf -
  cd
  mv "$folder/$1" "\${2:-.}"
  rmdir "$folder"' sh "$(basename "$1")" "\${2#*:}"
`,
  );
}

/** What was packed and built is at hand, and there is no registry to install it from. */
export function standInForNpm(host: Host): void {
  const script = `#!/bin/sh -e
[ "$1 $2" = 'install --prefix' ]
mkdir -p "$3/node_modules/.bin" "$3/node_modules/countersign"
mountpoint -q "$3/node_modules/countersign" || mount --bind ${ROOT} "$3/node_modules/countersign"
ln -sf ../countersign/dist/cli/main.js "$3/node_modules/.bin/countersign"
`;
  put(host, 'npm', script);
}
