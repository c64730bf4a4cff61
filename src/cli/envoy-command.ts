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

/** `config` is a word of a shell's command line. */
export function toEnvoyCommand(config: string, envoy = 'envoy'): string {
  return `${envoy} -c ${config} ${FLAGS}`;
}
