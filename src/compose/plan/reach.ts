// By which names a service reaches which others: only over networks that both are on.
import type { ComposeProject, ComposeService } from '../project/index.js';

/** All names of a service on a network; lower case, as DNS compares them. */
export function namesOn(service: ComposeService, network: string): string[] {
  const aliases = service.networks.get(network)?.aliases ?? [];
  const names = [service.name, service.containerName, service.hostname, ...aliases];
  return [...new Set(names.flatMap((name) => (name === undefined ? [] : [name.toLowerCase()])))];
}

export function shareNetwork(a: ComposeService, b: ComposeService): boolean {
  return [...a.networks.keys()].some((network) => b.networks.has(network));
}

/** A network of its own on which other projects' containers may be. */
export function externalNetwork(
  service: ComposeService,
  project: ComposeProject,
): string | undefined {
  return [...service.networks.keys()].find((name) => project.networks.get(name)?.isExternal);
}

export class ReachIndex {
  readonly #project: ComposeProject;
  /** By network: name → service. A name that two carry leads to the first. */
  readonly #byNetwork = new Map<string, Map<string, string>>();

  constructor(project: ComposeProject) {
    this.#project = project;
    for (const service of project.services.values()) {
      for (const network of service.networks.keys()) {
        const names = this.#byNetwork.get(network) ?? new Map<string, string>();
        this.#byNetwork.set(network, names);
        const fixed = service.networks.get(network)?.staticAddresses ?? [];
        for (const name of [...namesOn(service, network), ...fixed]) {
          if (!names.has(name)) names.set(name, service.name);
        }
      }
    }
  }

  /** The service that a name, or a fixed address, leads `caller` to; perhaps itself. */
  find(caller: ComposeService, name: string): string | undefined {
    const wanted = name.toLowerCase();
    const linked = [...caller.links].find(([alias]) => alias.toLowerCase() === wanted)?.[1];
    const target = linked === undefined ? undefined : this.#project.services.get(linked);
    if (target !== undefined && shareNetwork(caller, target)) return target.name;
    for (const network of caller.networks.keys()) {
      const found = this.#byNetwork.get(network)?.get(wanted);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** The service that has the name on any network, whoever asks. */
  findAnywhere(name: string): string | undefined {
    for (const names of this.#byNetwork.values()) {
      const found = names.get(name.toLowerCase());
      if (found !== undefined) return found;
    }
    return undefined;
  }
}
