// The command line by which a sidecar's Envoy is started, as commands print and write it.

/**
 * Envoy cuts connections on a removed filter chain this long after: a flag, not configuration. This
 * is its default, said so that it is known: a stream that lasts longer is cut by a change of its
 * port's mode. Its default strategy closes HTTP connections one by one over that time; immediate
 * closes each after its next answer (decision 024). Hot restart takes a socket that has the same
 * name for every Envoy of a host: without
 * the other flag the second one there doesn't start ("unable to bind domain socket").
 */
const FLAGS = '--drain-time-s 600 --drain-strategy immediate --disable-hot-restart';
const ALONE = '--disable-hot-restart';

/** `config` is a word of a shell's command line. */
export function toEnvoyCommand(config: string, envoy = 'envoy'): string {
  return `${envoy} -c ${config} ${FLAGS}`;
}

/**
 * For a script: what its variable HOT_RESTART holds takes the place of the last flag, so that a
 * sidecar can be started as the successor of the one that runs (decision 040).
 */
export function toScriptedEnvoyCommand(config: string): string {
  const flags = FLAGS.replace(ALONE, `\${HOT_RESTART:-${ALONE}}`);
  return `"\${ENVOY:-envoy}" -c ${config} ${flags}`;
}
