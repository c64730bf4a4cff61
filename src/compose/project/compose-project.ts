// A compose project in one form, whatever short and long forms, anchors, `extends`, several files
// and interpolation its author used: as `docker compose config` prints it.

export interface ComposeProject {
  /** Of `name:`, else the folder's: what the engine prefixes networks and containers with. */
  readonly name: string;
  /**
   * In the order of the files, as far as it is known. Those of inactive profiles are in it, and say
   * so.
   */
  readonly services: ReadonlyMap<string, ComposeService>;
  /** By the name in the file; `default` where a service names none. */
  readonly networks: ReadonlyMap<string, ComposeNetwork>;
  /** `x-countersign` of the file itself. */
  readonly settings: unknown;
  /** Variables that the files name and nobody sets: read as empty. Sorted. */
  readonly unsetVariables: readonly string[];
}

export interface ComposeNetwork {
  /** The engine's name for it, as a compose file may write it: `${COMPOSE_PROJECT_NAME}_front`. */
  readonly engineName: string;
  readonly isInternal: boolean;
  readonly isExternal: boolean;
  /** A driver other than bridge; undefined: bridge. */
  readonly driver: string | undefined;
}

export interface ConfigFile {
  /** Its base name: `nginx.conf`. */
  readonly name: string;
  readonly text: string;
}

export interface DockerfileFacts {
  /** The image that its last stage begins with; undefined: a variable, or another stage's. */
  readonly from: string | undefined;
  /** TCP ports of EXPOSE. */
  readonly exposed: readonly number[];
}

export interface ComposePort {
  /** Of the container. */
  readonly target: number;
  /** Of the host, perhaps a range; undefined: any free one. */
  readonly published: string | undefined;
  /** Where the host listens; undefined: everywhere. */
  readonly hostIp: string | undefined;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  /**
   * As a compose file takes it again, for the container that publishes it instead: the long form,
   * or a text where the author wrote a short form with variables, which stay in it.
   */
  readonly raw: unknown;
}

export type Condition = 'service_started' | 'service_healthy' | 'service_completed_successfully';

export interface ServiceNetwork {
  readonly aliases: readonly string[];
  /** `ipv4_address` or `ipv6_address`. */
  readonly staticAddresses: readonly string[];
}

export interface ComposeService {
  readonly name: string;
  /** Interpolated; undefined where it is built. */
  readonly image: string | undefined;
  readonly isBuilt: boolean;
  /** Of its Dockerfile, where that can be read. */
  readonly dockerfile: DockerfileFacts | undefined;
  /** In words; undefined: the image's own. */
  readonly command: readonly string[] | undefined;
  readonly entrypoint: readonly string[] | undefined;
  /** With what `env_file` brings. Its values are looked at, and never written anywhere. */
  readonly environment: ReadonlyMap<string, string>;
  readonly ports: readonly ComposePort[];
  readonly expose: readonly number[];
  /** What `expose` names for other protocols than TCP. */
  readonly exposesUdp: boolean;
  readonly dependsOn: ReadonlyMap<string, Condition>;
  /** The words of its test, without CMD or CMD-SHELL; undefined: none. */
  readonly healthcheck: readonly string[] | undefined;
  /** By network; empty with a network mode. */
  readonly networks: ReadonlyMap<string, ServiceNetwork>;
  /** `host`, `none`, `service:x`, `container:x`; undefined: its networks. */
  readonly networkMode: string | undefined;
  readonly containerName: string | undefined;
  readonly hostname: string | undefined;
  /** By the name that the service calls: the service behind it. */
  readonly links: ReadonlyMap<string, string>;
  readonly extraHosts: readonly string[];
  readonly user: string | undefined;
  readonly isPrivileged: boolean;
  readonly capAdd: readonly string[];
  /** `no`, `always`, `unless-stopped`, `on-failure[:n]`; undefined: not said. */
  readonly restart: string | undefined;
  /** `scale` or `deploy.replicas`; 1 where not said. */
  readonly replicas: number;
  readonly profiles: readonly string[];
  readonly labels: ReadonlyMap<string, string>;
  /**
   * Values of `labels` and `environment` as a compose file may have them again: with the variables
   * that their author wrote, and each other dollar sign twice. What `env_file` brings isn't there.
   */
  readonly labelTexts: ReadonlyMap<string, string>;
  readonly environmentTexts: ReadonlyMap<string, string>;
  /** Sources of bind mounts. */
  readonly binds: readonly string[];
  /** Of those, texts in the project's folder in which others may be named. Never shown. */
  readonly configFiles: readonly ConfigFile[];
  /** `x-countersign` of the service. */
  readonly settings: unknown;
  /** Its further keys, which some writer has to take back or carry over (`dns`, `tmpfs`, …). */
  readonly otherKeys: ReadonlySet<string>;
}
