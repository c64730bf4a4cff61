// Images whose usual ports are known. Source: the EXPOSE lines of their Dockerfiles and the pages
// of their makers, as of November 2026; the first port of a line is the one that others call. An
// image that isn't here is a guess by its numbers (port-numbers.ts), and `tcp` where in doubt.
import type { ComposeService } from '../project/index.js';
import { toImageName } from './image-name.js';
import type { PlannedProtocol } from './mesh-plan.js';

export interface KnownPort {
  readonly number: number;
  readonly protocol: PlannedProtocol;
}

export interface KnownImage {
  /** In words, for evidence: `postgres`. */
  readonly name: string;
  readonly ports: readonly KnownPort[];
  readonly role: ImageRole;
}

/**
 * A `database` has grants, which may depend on the client's address; it and a `cache` call nobody;
 * a `broker` calls whom its own variables name; a `server` may call anybody.
 */
export type ImageRole = 'database' | 'cache' | 'broker' | 'server';

interface Line {
  readonly pattern: RegExp;
  readonly ports: readonly KnownPort[];
  readonly role: ImageRole;
}

const tcp = (number: number): KnownPort => ({ number, protocol: 'tcp' });
const http = (number: number): KnownPort => ({ number, protocol: 'http' });
const grpc = (number: number): KnownPort => ({ number, protocol: 'grpc' });

function database(pattern: RegExp, ...ports: KnownPort[]): Line {
  return { pattern, ports, role: 'database' };
}
function cache(pattern: RegExp, ...ports: KnownPort[]): Line {
  return { pattern, ports, role: 'cache' };
}
function broker(pattern: RegExp, ...ports: KnownPort[]): Line {
  return { pattern, ports, role: 'broker' };
}
function server(pattern: RegExp, ...ports: KnownPort[]): Line {
  return { pattern, ports, role: 'server' };
}

/** Matched against the image's path without tag: `bitnami/kafka`. Whole words of a last part. */
const IMAGES: readonly Line[] = [
  // Exporters, admin pages and tools first: their names contain those of what they look at.
  server(/(^|\/)(postgres|pgbouncer)[-_]exporter$/, http(9187)),
  server(/(^|\/)redis[-_]exporter$/, http(9121)),
  server(/(^|\/)mysqld?[-_]exporter$/, http(9104)),
  server(/(^|\/)mongodb?[-_]exporter$/, http(9216)),
  server(/(^|\/)(elasticsearch)[-_]exporter$/, http(9114)),
  server(/(^|\/)kafka[-_]exporter$/, http(9308)),
  server(/(^|\/)node[-_]exporter$/, http(9100)),
  server(/(^|\/)blackbox[-_]exporter$/, http(9115)),
  server(/(^|\/)nginx(-prometheus)?[-_]exporter$/, http(9113)),
  server(/(^|\/)pgadmin4?$/, http(80)),
  server(/(^|\/)(phpmyadmin|phppgadmin|adminer-?\w*)$/, http(80)),
  server(/(^|\/)mongo-express$/, http(8081)),
  server(/(^|\/)redis-?commander$/, http(8081)),
  server(/(^|\/)redisinsight$/, http(5540)),
  server(/(^|\/)(kafka-ui|kafdrop|akhq)$/, http(8080)),
  server(/(^|\/)(cp-)?schema-registry$/, http(8081)),
  server(/(^|\/)(cp-)?kafka-rest$/, http(8082)),
  server(/(^|\/)(cp-)?kafka-connect(-base)?$/, http(8083)),
  server(/(^|\/)debezium\/connect$|(^|\/)debezium-connect$/, http(8083)),
  server(/(^|\/)(cp-)?(enterprise-)?control-center$/, http(9021)),
  // Databases.
  database(/(^|\/)(postgres|postgresql|postgis|pgvector|timescaledb(-ha)?|spilo)$/, tcp(5432)),
  database(/(^|\/)(pgbouncer|pgpool)$/, tcp(5432)),
  database(/(^|\/)(mysql(-server)?|mariadb|percona(-server)?)$/, tcp(3306)),
  database(/(^|\/)(mongo|mongodb(-community-server)?|percona-server-mongodb)$/, tcp(27017)),
  database(/(^|\/)(mssql\/server|mssql-server|azure-sql-edge)$/, tcp(1433)),
  database(/(^|\/)(oracle-xe|oracle-free|oracle-database.*)$/, tcp(1521)),
  database(/(^|\/)(cassandra|scylla)$/, tcp(9042)),
  database(/(^|\/)cockroach$/, tcp(26257), http(8080)),
  database(/(^|\/)(clickhouse(-server)?)$/, http(8123), tcp(9000)),
  cache(/(^|\/)neo4j$/, tcp(7687), http(7474)),
  cache(/(^|\/)(arangodb)$/, http(8529)),
  cache(/(^|\/)couchdb$/, http(5984)),
  cache(/(^|\/)influxdb$/, http(8086)),
  cache(/(^|\/)rethinkdb$/, tcp(28015), http(8080)),
  cache(/(^|\/)surrealdb$/, http(8000)),
  cache(/(^|\/)dynamodb-local$/, http(8000)),
  database(/[-_](postgres(ql)?)(-|$)|\/postgres-/, tcp(5432)),
  database(/[-_](mysql|mariadb)(-|$)/, tcp(3306)),
  database(/[-_]mongo(db)?(-|$)/, tcp(27017)),
  // Caches and queues.
  cache(/(^|\/)(redis|valkey|keydb|redis-stack(-server)?|redismod|dragonfly)$/, tcp(6379)),
  cache(/(^|\/)memcached$/, tcp(11211)),
  broker(/(^|\/)rabbitmq(-management)?$/, tcp(5672), http(15672)),
  broker(/(^|\/)(kafka|cp-kafka|cp-server|redpanda|kafka-native)$/, tcp(9092)),
  broker(/(^|\/)(zookeeper|cp-zookeeper)$/, tcp(2181)),
  broker(/(^|\/)(nats|nats-streaming)$/, tcp(4222), http(8222)),
  broker(/(^|\/)nsq$/, tcp(4150)),
  broker(/(^|\/)(activemq.*|artemis)$/, tcp(61616), http(8161)),
  broker(/(^|\/)pulsar(-all)?$/, tcp(6650), http(8080)),
  broker(/(^|\/)(eclipse-)?mosquitto$/, tcp(1883)),
  broker(/(^|\/)emqx$/, tcp(1883), http(18083)),
  broker(/(^|\/)beanstalkd$/, tcp(11300)),
  broker(/(^|\/)gearmand?$/, tcp(4730)),
  // Search and observation.
  broker(/(^|\/)(elasticsearch(-oss)?|opensearch)$/, http(9200)),
  server(/(^|\/)(kibana|opensearch-dashboards)$/, http(5601)),
  server(/(^|\/)logstash$/, tcp(5044), http(9600)),
  server(/(^|\/)solr$/, http(8983)),
  server(/(^|\/)meilisearch$/, http(7700)),
  server(/(^|\/)typesense$/, http(8108)),
  server(/(^|\/)qdrant$/, http(6333), grpc(6334)),
  server(/(^|\/)(weaviate|chroma)$/, http(8080)),
  server(/(^|\/)milvus$/, grpc(19530), http(9091)),
  server(/(^|\/)prometheus$/, http(9090)),
  server(/(^|\/)alertmanager$/, http(9093)),
  server(/(^|\/)pushgateway$/, http(9091)),
  server(/(^|\/)cadvisor$/, http(8080)),
  server(/(^|\/)grafana(-oss|-enterprise)?$/, http(3000)),
  server(/(^|\/)loki$/, http(3100)),
  server(/(^|\/)tempo$/, http(3200), grpc(4317), http(4318)),
  server(/(^|\/)jaeger$|(^|\/)jaegertracing\/all-in-one$/, http(16686), grpc(4317), http(4318)),
  server(/(^|\/)zipkin$/, http(9411)),
  server(/(^|\/)opentelemetry-collector(-contrib)?$/, grpc(4317), http(4318)),
  server(/(^|\/)fluent(d|-bit)$/, tcp(24224)),
  server(/(^|\/)(graphite-statsd|graphite)$/, http(80), tcp(2003)),
  server(/(^|\/)kuma\/uptime-kuma$|(^|\/)uptime-kuma$/, http(3001)),
  // Web.
  server(/(^|\/)nginx-unprivileged$/, http(8080)),
  server(/(^|\/)(nginx|openresty|httpd|caddy|wordpress|drupal|joomla|nextcloud)$/, http(80)),
  server(/(^|\/)(haproxy|varnish)$/, http(80)),
  server(/(^|\/)(tomcat|jetty|jenkins|solr-ui|keycloak|unleash-server)$/, http(8080)),
  server(/(^|\/)(whoami|httpbin|echo-server|http-echo)$/, http(80)),
  server(/(^|\/)(ghost)$/, http(2368)),
  server(/(^|\/)(strapi)$/, http(1337)),
  server(/(^|\/)(directus)$/, http(8055)),
  server(/(^|\/)(hasura\/graphql-engine|graphql-engine)$/, http(8080)),
  server(/(^|\/)(postgrest|metabase)$/, http(3000)),
  server(/(^|\/)(superset)$/, http(8088)),
  server(/(^|\/)(sonarqube|portainer(-ce|-ee)?)$/, http(9000)),
  server(/(^|\/)(gitea|forgejo)$/, http(3000), tcp(22)),
  server(/(^|\/)(n8n)$/, http(5678)),
  server(/(^|\/)(node-red)$/, http(1880)),
  server(/(^|\/)(airflow)$/, http(8080)),
  server(/(^|\/)(gotenberg)$/, http(3000)),
  server(/(^|\/)(imgproxy)$/, http(8080)),
  server(/(^|\/)(ollama)$/, http(11434)),
  server(/(^|\/)immich-server$/, http(2283)),
  server(/(^|\/)immich-machine-learning$/, http(3003)),
  server(/(^|\/)guacd$/, tcp(4822)),
  server(/(^|\/)(vault)$/, http(8200)),
  server(/(^|\/)(etcd)$/, tcp(2379)),
  server(/(^|\/)(minio)$/, http(9000), http(9001)),
  server(/(^|\/)(localstack)$/, http(4566)),
  server(/(^|\/)(registry)$/, http(5000)),
  server(/(^|\/)(wiremock)$/, http(8080)),
  server(/(^|\/)(kong)$/, http(8000), http(8001)),
  server(/(^|\/)(temporal|auto-setup|temporalio\/server)$/, grpc(7233)),
  server(/(^|\/)temporalio\/(ui|web)$/, http(8080)),
  // Mail and directories.
  server(/(^|\/)mailhog$/, tcp(1025), http(8025)),
  server(/(^|\/)mailpit$/, tcp(1025), http(8025)),
  server(/(^|\/)(maildev)$/, tcp(1025), http(1080)),
  server(/(^|\/)(mailcatcher)$/, tcp(1025), http(1080)),
  server(/(^|\/)(docker-mailserver|postfix)$/, tcp(25)),
  server(/(^|\/)openldap$/, tcp(389)),
  // PHP behind a web server speaks FastCGI.
  server(/(^|\/)(php-fpm|fpm)$/, tcp(9000)),
];

/** What is known of a service's image, or of the one that its Dockerfile begins with. */
export function knownImageOf({ image, dockerfile }: ComposeService): KnownImage | undefined {
  return knownImage(image) ?? knownImage(dockerfile?.from);
}

function knownImage(image: string | undefined): KnownImage | undefined {
  if (image === undefined) return undefined;
  const { path, base, tag } = toImageName(image);
  // Of PHP, Nextcloud, WordPress, …: without a web server.
  if (/(^|-)fpm(-|$)/.test(tag)) return { name: `${base} fpm`, ports: [tcp(9000)], role: 'server' };
  const line = IMAGES.find(({ pattern }) => pattern.test(path));
  return line === undefined ? undefined : { name: base, ...pick(line) };
}

function pick({ ports, role }: Line): Omit<KnownImage, 'name'> {
  return { ports, role };
}
