// Services that hand out addresses: who asks them is told where to connect, and dials that instead
// of a name. A sidecar doesn't own such addresses, so these stay as they are, unless what is handed
// out is the very name and port by which the mesh reaches them (FACTS.md: 21 % of files).
import type { ComposeProject, ComposeService } from '../project/index.js';
import { toImageName } from './image-name.js';
import { knownImageOf } from './known-images.js';
import type { Mention } from './mentions.js';
import { shareNetwork } from './reach.js';
import { shortName } from './texts.js';

export interface Discovery {
  readonly reason: string;
  readonly hint: string;
  /** False: nobody is told its address. */
  readonly isDirect?: false;
}

export interface DiscoveryContext {
  readonly project: ComposeProject;
  /** Who names whom. */
  readonly mentions: readonly Mention[];
  /** All names of a service anywhere; lower case. */
  readonly namesOf: (service: ComposeService) => ReadonlySet<string>;
}

type Rule = (service: ComposeService, context: DiscoveryContext) => Discovery | undefined;

/** Products whose members find one another, and are found, at addresses. */
const CLUSTERS: readonly [pattern: RegExp, what: string][] = [
  [/(^|\/)(hadoop[\w-]*|namenode|datanode|[\w-]*-(?:name|data)node)$/, 'HDFS'],
  [/(^|\/)(spark|bitnami\/spark|[\w-]*spark-(?:master|worker)[\w-]*)$/, 'Spark'],
  [/(^|\/)([\w-]*flink)$/, 'Flink'],
  [/(^|\/)(ray|ray-ml)$/, 'Ray'],
  [/(^|\/)(dask[\w-]*)$/, 'Dask'],
  [/(^|\/)(hazelcast|ignite)$/, 'the grid'],
  [/(^|\/)(hbase|storm|druid|trino|presto)$/, 'the cluster'],
  [/(^|\/)(tikv|pd|tidb)$/, 'TiDB'],
  [/(^|\/)(yugabyte)$/, 'YugabyteDB'],
  [/selenium\/(hub|node-[\w-]+)$/, 'the Selenium grid'],
  [/(^|\/)(redis-cluster|redis-sentinel|valkey-cluster)$/, 'the Redis cluster'],
  [/(^|\/)(galera|mariadb-galera|pxc|percona-xtradb-cluster)$/, 'Galera'],
  [/(^|\/)(patroni|postgresql-repmgr|spilo|stolon)$/, 'the PostgreSQL cluster'],
];

const REGISTRIES =
  /(^|[/_-])(eureka[\w-]*|consul|nacos(-server)?|service-registry|discovery-server)$/;

const registry: Rule = (service, { mentions, project, namesOf }) => {
  if (isRegistry(service)) {
    return {
      reason: 'a registry that hands out addresses',
      hint: 'services that find one another by it dial addresses; call them by name to mesh them',
    };
  }
  const registries = [...project.services.values()].filter(isRegistry);
  const named = registries.find((other) => {
    return (
      service.dependsOn.has(other.name) ||
      mentions.some(({ caller, callee }) => caller === service.name && callee === other.name) ||
      mayRegister(service, other)
    );
  });
  if (named === undefined) return undefined;
  const said = service.environment.get('EUREKA_INSTANCE_HOSTNAME')?.toLowerCase();
  if (said !== undefined && namesOf(service).has(said)) return undefined;
  return {
    reason: `it finds others, and is found, by ${shortName(named.name)}`,
    hint: 'addresses are registered there; have services call one another by name to mesh them',
  };
};

/** Of Eureka and Nacos, which images of any name speak. */
const REGISTRY_PORTS: readonly number[] = [8761, 8848];

function isRegistry(service: ComposeService): boolean {
  return (
    isImage(service, REGISTRIES) ||
    REGISTRIES.test(service.name.toLowerCase()) ||
    hasRegistryPort(service)
  );
}

function hasRegistryPort({ ports, expose }: ComposeService): boolean {
  const numbers = [...ports.map(({ target }) => target), ...expose];
  return REGISTRY_PORTS.some((port) => numbers.includes(port));
}

/** Clients of Eureka often have its address from somewhere else: unknown images may be some. */
function mayRegister(service: ComposeService, registry: ComposeService): boolean {
  const isEureka = hasRegistryPort(registry) || /eureka/.test(registry.name.toLowerCase());
  return isEureka && knownImageOf(service) === undefined && shareNetwork(service, registry);
}

const FLINK_ROLES = /^(jobmanager|taskmanager|standalone-job)$/;

const cluster: Rule = (service) => {
  const isFlink = [...(service.entrypoint ?? []), ...(service.command ?? [])].some((word) => {
    return FLINK_ROLES.test(word);
  });
  const found = CLUSTERS.find(([pattern]) => isImage(service, pattern));
  const what = found?.[1] ?? (isFlink ? 'Flink' : undefined);
  if (what === undefined) return undefined;
  return {
    reason: `${what} hands out addresses`,
    hint: 'its members and clients dial what they are told; nothing can be done in front of it',
  };
};

const KAFKA = /(^|\/)(kafka(-kraft|-native)?|cp-kafka|cp-server|cp-enterprise-kafka|redpanda)$/;
const ADVERTISED = /^(?:kafka_.*)?advertised[._]?(?:listeners|host)/i;

const kafka: Rule = (service, { namesOf }) => {
  if (!isBroker(service)) return undefined;
  const own = namesOf(service);
  const said = [...service.environment]
    .filter(([variable]) => ADVERTISED.test(variable))
    .map(([, text]) => text);
  const flags = [...(service.command ?? []), ...(service.entrypoint ?? [])].join(' ');
  said.push(
    ...[...flags.matchAll(/--advertise-kafka-addr[=\s]+(\S+)/g)].map(([, text = '']) => text),
  );
  const hosts = said.flatMap((text) => text.split(',').map(advertisedHost));
  if (hosts.some((host) => own.has(host))) return undefined;
  return {
    reason: 'Kafka advertises addresses that are not its own names',
    hint: `advertise ${shortName(service.name)} and its port to mesh it`,
  };
};

/** What only uses the image's tools, or calls a broker itself, is none. */
function isBroker(service: ComposeService): boolean {
  const variables = [...service.environment.keys()];
  if (variables.some((variable) => /^kafka_.*advertised/i.test(variable))) return true;
  if (variables.some((variable) => /listeners|node_id|broker_id/i.test(variable))) {
    return isImage(service, KAFKA);
  }
  const isClient = variables.some((variable) => /bootstrap_?servers/i.test(variable));
  const hasOwnCommand = (service.command ?? []).length > 0;
  const isRedpanda = (service.command ?? []).includes('redpanda');
  return isImage(service, KAFKA) && !isClient && (!hasOwnCommand || isRedpanda);
}

/** `INSIDE://kafka:9092`, `kafka:9092`, `kafka`. */
function advertisedHost(text: string): string {
  const [, host = ''] = /^\s*(?:[\w-]+:\/\/)?\[?([^\s:/\]]*)/.exec(text) ?? [];
  return host.toLowerCase();
}

/** More than one member of a product that forms clusters, where something says that they do. */
const members: Rule = (service, { project }) => {
  const rule = MEMBERS.find(({ image }) => isImage(service, image));
  if (rule === undefined) return undefined;
  const others = [...project.services.values()].filter((one) => {
    return isImage(one, rule.image) && rule.unless?.test(settingsText(one)) !== true;
  });
  if (!others.includes(service)) return undefined;
  const isMany = others.length > 1 || service.replicas > 1;
  if (!isMany && !rule.isEvenAlone) return undefined;
  const isOne = others.some((one) => rule.sign.test(settingsText(one)));
  if (!isOne) return undefined;
  return {
    reason: `the members of ${rule.what} hand out addresses`,
    hint: 'its clients dial what they are told; one member alone could be meshed',
  };
};

interface Members {
  readonly image: RegExp;
  /** In its variables or command. */
  readonly sign: RegExp;
  readonly what: string;
  readonly isEvenAlone?: boolean;
  /** It says of itself that it stands alone. */
  readonly unless?: RegExp;
}

const MEMBERS: readonly Members[] = [
  {
    image: /(^|\/)(redis|valkey|keydb)$/,
    sign: /cluster[-_]enabled|--cluster\b|sentinel/i,
    what: 'the Redis cluster',
    isEvenAlone: true,
  },
  {
    image: /(^|\/)mongo(db)?$/,
    sign: /--replSet|replica_?set|--shardsvr|--configsvr/i,
    what: 'the replica set',
  },
  { image: /(^|\/)rabbitmq$/, sign: /erlang_cookie|cluster/i, what: 'the RabbitMQ cluster' },
  {
    image: /(^|\/)(zookeeper|cp-zookeeper)$/,
    sign: /zoo(keeper)?_servers|server\.\d/i,
    what: 'the ZooKeeper ensemble',
  },
  {
    image: /(^|\/)(elasticsearch|opensearch)$/,
    sign: /^/,
    what: 'the search cluster',
    unless: /single-node/,
  },
  { image: /(^|\/)(cassandra|scylla)$/, sign: /seed|cluster/i, what: 'the Cassandra ring' },
  {
    image: /(^|\/)(temporalio\/(server|auto-setup)|ubercadence\/server)$/,
    sign: /\bSERVICES=/,
    what: 'the Temporal cluster',
  },
  { image: /(^|\/)(loki|mimir|cortex|thanos)$/, sign: /^/, what: 'the ring' },
  { image: /(^|\/)cockroach$/, sign: /--join/, what: 'the CockroachDB cluster' },
  { image: /(^|\/)nats$/, sign: /--?routes|--?cluster/i, what: 'the NATS cluster' },
  {
    image: /(^|\/)clickhouse(-server)?$/,
    sign: /zookeeper|keeper|cluster/i,
    what: 'the ClickHouse cluster',
  },
];

/** Names of variables, their values and the command: looked at, never shown. */
function settingsText({ environment, command, entrypoint }: ComposeService): string {
  const variables = [...environment].map(([name, text]) => `${name}=${text}`);
  return [...variables, ...(entrypoint ?? []), ...(command ?? [])].join(' ').slice(0, 50_000);
}

const SOCKET = /\/(docker|podman)\.sock$/;
const PROXY_WORDS = [
  ...['traefik', 'nginx-proxy', 'caddy-docker-proxy', 'docker-proxy', 'swag', 'sozu', 'fabio'],
  'docker-gen',
];
const SOCKET_PROXIES = new RegExp(`(?:^|/)(?:${PROXY_WORDS.join('|')})$`);

/** It reads addresses of containers from Docker, and dials them. */
const socketReader: Rule = (service) => {
  if (!isSocketProxy(service)) return undefined;
  return {
    reason: 'it dials containers at addresses that Docker tells it',
    hint: 'it calls the sidecars, to which the labels and variables went over, in plain text',
    isDirect: false,
  };
};

/** Whether it learns from Docker whom to call. */
export function isSocketProxy(service: ComposeService): boolean {
  return isImage(service, SOCKET_PROXIES) && service.binds.some((path) => SOCKET.test(path));
}

/** Its own image, or the one that its Dockerfile begins with. */
function isImage({ image, dockerfile }: ComposeService, pattern: RegExp): boolean {
  return [image, dockerfile?.from].some((one) => {
    return one !== undefined && pattern.test(toImageName(one).path);
  });
}

const RULES: readonly Rule[] = [registry, cluster, kafka, members, socketReader];

export function findDiscovery(
  service: ComposeService,
  context: DiscoveryContext,
): Discovery | undefined {
  for (const rule of RULES) {
    const found = rule(service, context);
    if (found !== undefined) return found;
  }
  return undefined;
}
