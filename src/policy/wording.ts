// What people write by habit or from other tools, and what they mean by it in mesh.yaml.

/** Protocols whose client speaks first: their bytes pass on a tcp port. */
const CLIENT_FIRST = [
  ...['amqp', 'cassandra', 'kafka', 'ldap', 'mongo', 'mongodb', 'mqtt', 'nats', 'postgres'],
  ...['postgresql', 'redis', 'thrift', 'zookeeper'],
];
/** Protocols whose server speaks first. */
const SERVER_FIRST = ['ftp', 'imap', 'mariadb', 'mysql', 'pop3', 'smtp', 'ssh'];
const OTHERS: Readonly<Record<string, string>> = {
  'grpc-web': 'write http: gRPC-Web is HTTP/1.1',
  'http/1.1': 'write http',
  'http/2': 'write http2',
  h2: 'write http2',
  h2c: 'write http2',
  https: 'write http: sidecars add TLS themselves, or tcp where the application has its own TLS',
  'server-first': 'write tcp, which fits protocols whose client speaks first',
  ssl: 'write tcp: TLS of the application passes untouched between sidecars',
  tls: 'write tcp: TLS of the application passes untouched between sidecars',
  udp: 'only TCP passes a sidecar: leave out the port',
  websocket: 'write http: WebSockets pass there',
  ws: 'write http: WebSockets pass there',
  wss: 'write http: WebSockets pass there, and sidecars add TLS themselves',
};

/** What to write for this protocol; undefined for a word that isn't known. */
export function protocolHint(word: unknown): string | undefined {
  if (typeof word !== 'string') return undefined;
  const name = word.trim().toLowerCase();
  if (CLIENT_FIRST.includes(name)) return 'write tcp';
  if (SERVER_FIRST.includes(name)) {
    return 'its server speaks first, which tcp carries from sidecar to sidecar: write tcp';
  }
  return Object.hasOwn(OTHERS, name) ? OTHERS[name] : undefined;
}

/** For one text in place of a list of them: `[web]`. */
export function listHint(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  return `write [${/^[A-Za-z0-9/._-]+$/.test(value) ? value : JSON.stringify(value)}]`;
}

/** What an empty list was meant to say, by its key. */
export function emptyListHint(key: string): string | undefined {
  switch (key) {
    case 'allow':
      return 'write access: deny to let nobody in';
    case 'deny':
      return 'leave out deny: an empty list would refuse nothing';
    case 'from':
      return 'name who may call, or leave out the rule';
    default:
      return undefined;
  }
}
