// What a port's number says by convention, where nothing else does; and what a URL's scheme says.
import type { PlannedProtocol } from './mesh-plan.js';

/** Ports of web frameworks and proxies. 9000 isn't here: FastCGI is as usual there. */
const HTTP_PORTS: ReadonlySet<number> = new Set([
  ...[80, 81, 3000, 3001, 3002, 3003, 4000, 4200, 5000, 5001, 5173, 8000, 8001, 8002, 8008],
  ...[8080, 8081, 8082, 8083, 8084, 8085, 8086, 8087, 8088, 8089, 8090, 8888],
]);
/** 50051: gRPC's examples; 4317: OTLP over gRPC. */
const GRPC_PORTS: ReadonlySet<number> = new Set([50051, 50052, 50053, 50054, 50055, 4317]);
/** Where applications speak TLS themselves: it passes untouched. */
const TLS_PORTS: ReadonlySet<number> = new Set([443, 6443, 8443, 9443, 5671, 6380, 465, 636, 993]);

export function protocolOfNumber(port: number): PlannedProtocol | undefined {
  if (HTTP_PORTS.has(port)) return 'http';
  return GRPC_PORTS.has(port) ? 'grpc' : undefined;
}

export function isTlsPort(port: number): boolean {
  return TLS_PORTS.has(port);
}

export interface Scheme {
  readonly protocol: PlannedProtocol;
  /** Where a URL without a port leads. */
  readonly port: number | undefined;
}

const tcp = (port?: number): Scheme => ({ protocol: 'tcp', port });

const SCHEMES: Readonly<Record<string, Scheme>> = {
  http: { protocol: 'http', port: 80 },
  ws: { protocol: 'http', port: 80 },
  // TLS of the application's own.
  https: tcp(443),
  wss: tcp(443),
  grpc: { protocol: 'grpc', port: undefined },
  grpcs: tcp(),
  amqp: tcp(5672),
  amqps: tcp(5671),
  pyamqp: tcp(5672),
  bolt: tcp(7687),
  cassandra: tcp(9042),
  clickhouse: tcp(9000),
  kafka: tcp(9092),
  ldap: tcp(389),
  ldaps: tcp(636),
  mariadb: tcp(3306),
  memcache: tcp(11211),
  memcached: tcp(11211),
  mongodb: tcp(27017),
  mqtt: tcp(1883),
  mysql: tcp(3306),
  mysql2: tcp(3306),
  nats: tcp(4222),
  neo4j: tcp(7687),
  oracle: tcp(1521),
  postgres: tcp(5432),
  postgresql: tcp(5432),
  postgis: tcp(5432),
  redis: tcp(6379),
  rediss: tcp(6379),
  smtp: tcp(25),
  smtps: tcp(465),
  sqlserver: tcp(1433),
  mssql: tcp(1433),
  tcp: tcp(),
  zookeeper: tcp(2181),
};

/** `postgresql+asyncpg` is `postgresql`. An unknown scheme says nothing about the protocol. */
export function knownScheme(text: string): Scheme | undefined {
  const name = text.toLowerCase().split('+', 1)[0] ?? '';
  return Object.hasOwn(SCHEMES, name) ? SCHEMES[name] : undefined;
}
