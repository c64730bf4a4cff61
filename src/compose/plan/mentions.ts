// Where a service names another one: in URLs, as `host:port`, and in pairs of variables such as
// DB_HOST and DB_PORT. Names are looked up, never guessed: a word that is no service's name on a
// network of the caller is nothing.
import { isIP } from 'node:net';
import type { ComposeProject, ComposeService } from '../project/index.js';
import type { Evidence } from './mesh-plan.js';
import { pairedPort } from './paired-port.js';
import { knownScheme } from './port-numbers.js';
import { externalNetwork, type ReachIndex } from './reach.js';
import { healthText, type ServiceText, shortName, textsOf } from './texts.js';

export interface Mention {
  readonly caller: string;
  readonly callee: string;
  /** Undefined: only the name is said. */
  readonly port: number | undefined;
  /** Of a URL: `postgresql`, `http`. */
  readonly scheme: string | undefined;
  /** Undefined: it stands in a command or a health check. */
  readonly variable: string | undefined;
  /** It is a fixed address, and no name. */
  readonly isAddress: boolean;
  /** It stands in a variable or flag about gRPC. */
  readonly isGrpc: boolean;
  readonly evidence: Evidence;
}

/** `scheme://user:password@a:1,b:2/…`: what is before the authority, and that. */
const URL_PATTERN = /([a-zA-Z][a-zA-Z0-9+.-]*):(?:\/\/|[a-z]+:@\/\/)([^\s/?#"'<>|\\]+)/g;
const AUTHORITY = /^(?:\[([\da-f:]+)\]|([\w.-]+))(?::(\d{1,5}))?/i;
/** `host:port`, SQL Server's `host,port`, and Oracle's `@host:port`. */
const HOST_PORT = /(?<![\w.-])([a-zA-Z0-9_][\w.-]*)[:,](\d{1,5})(?![\w.-]*\.\w)(?!\d)/g;
/** A variable whose value may be nothing but a host. */
const HOST_WORDS = [
  ...['host', 'server', 'addr', 'url', 'uri', 'endpoint', 'broker', 'service', 'node', 'peer'],
  ...['upstream', 'backend', 'target', 'dsn', 'seed', 'proxy', 'remote', 'master', 'primary'],
  ...['replica', 'link', 'connect', 'domain', 'gateway'],
];
const HOST_VARIABLE = new RegExp(HOST_WORDS.join('|'), 'i');
/** A variable about something else, whose value may look like a host, or like `host:port`. */
const NO_HOST_VARIABLE = /service_?name|image|version|tag$|user(?:_?name)?$|passw|secret|_token$/i;
/** In a command: what stands before a host. */
const FLAG_WORDS = 'host|server|addr|address|url|uri|endpoint|broker|upstream|remote|target';
const HOST_FLAG = new RegExp(
  `(?:^|\\s)(?:-{1,2}[\\w-]*(?:${FLAG_WORDS})s?|-h|-H)[=\\s]+([a-zA-Z0-9_][\\w.-]*)`,
  'gi',
);
/** In a connection string: `host=db`, `Server=db`, `Data Source=db`. */
const FIELD_WORDS = 'host(?:name|addr)?|server|data source|address';
const HOST_FIELD = new RegExp(
  `(?:^|[\\s;?&"'(])(?:${FIELD_WORDS})\\s*=\\s*(?:tcp:)?([a-zA-Z0-9_][\\w.-]*)`,
  'gi',
);
const PORT_FIELD = /(?:^|[\s;?&"'(])port\s*=\s*(\d{1,5})/i;
/** `wait-for db`, `ping db`: tools that take a host. */
const TOOLS = 'wait-?for(?:-it)?(?:\\.sh)?|ping6?|nslookup|telnet|nc(?:at)?(?:\\s+-\\w+)*';
const HOST_TOOL = new RegExp(`(?:${TOOLS})\\s+([a-zA-Z0-9_][\\w.-]*)(?:\\s+(\\d{1,5}))?`, 'gi');

/** A name that leads nowhere. */
export interface LostName {
  readonly caller: string;
  /** A service that shares no network with the caller; undefined: no service at all. */
  readonly callee: string | undefined;
  readonly evidence: Evidence;
}

export interface Mentions {
  readonly mentions: readonly Mention[];
  readonly lost: readonly LostName[];
}

export function findMentions(project: ComposeProject, reach: ReachIndex): Mentions {
  const mentions: Mention[] = [];
  const lost: LostName[] = [];
  for (const service of project.services.values()) {
    const caller = service.name;
    for (const text of [...textsOf(service), ownHealth(service)]) {
      const { where: evidence, variable } = text;
      for (const { host, port, scheme } of spotsIn(text, service)) {
        const callee = reach.find(service, host);
        if (callee !== undefined) {
          const isGrpc = /grpc/i.test(variable ?? '') || scheme === 'grpc';
          const isAddress = isIP(host) !== 0;
          mentions.push({ caller, callee, port, scheme, isGrpc, isAddress, variable, evidence });
          continue;
        }
        const other = reach.findAnywhere(host);
        const spot = { host, port, scheme };
        const isNowhere = other === undefined && isOwnName(spot, { service, project, variable });
        if (other !== undefined || isNowhere) lost.push({ caller, callee: other, evidence });
      }
    }
  }
  return { mentions, lost };
}

function ownHealth(service: ComposeService): ServiceText {
  const where = `health check of ${shortName(service.name)}`;
  return { where, variable: undefined, text: healthText(service) };
}

interface NameContext {
  readonly service: ComposeService;
  readonly project: ComposeProject;
  readonly variable: string | undefined;
}

/** A variable whose value is a host and nothing else. */
const PLAIN_HOST = /(?:^|_)(?:host|hostname|server|addr|address)s?$/i;

/**
 * Whether a host looks like the name of a container: one word of a URL; beside an external network,
 * where other projects' containers are, of a variable for hosts too.
 */
function isOwnName({ host, scheme }: Spot, { service, project, variable }: NameContext): boolean {
  const isKnown = scheme !== undefined && knownScheme(scheme) !== undefined;
  const isPlain =
    PLAIN_HOST.test(variable ?? '') && externalNetwork(service, project) !== undefined;
  const isElsewhere = service.extraHosts.some((entry) => entry.startsWith(`${host}=`));
  const isWord = /^[a-z][\w-]*$/i.test(host) && host !== 'localhost';
  return (isKnown || isPlain) && isWord && !isElsewhere;
}

interface Spot {
  readonly host: string;
  readonly port: number | undefined;
  readonly scheme: string | undefined;
}

function spotsIn(text: ServiceText, service: ComposeService): Spot[] {
  const { variable } = text;
  const { spots, rest } = urlsIn(text.text);
  if (variable !== undefined && NO_HOST_VARIABLE.test(variable)) return spots;
  const pairs = [...rest.matchAll(HOST_PORT)].map(([, host = '', port]) => {
    return { host, port: toPort(port), scheme: undefined };
  });
  const fields = [...rest.matchAll(HOST_FIELD)].map(([, host = '']) => {
    return { host, port: toPort(PORT_FIELD.exec(rest)?.[1]), scheme: undefined };
  });
  const bare = variable === undefined ? inCommand(rest) : inVariable(variable, rest, service);
  return unique([...spots, ...pairs, ...fields, ...bare]);
}

/**
 * A spot without a port says nothing new where the same host has one: `proxy_pass http://api;`
 * leads to the `upstream api` that names it.
 */
function unique(spots: readonly Spot[]): Spot[] {
  const withPort = new Set(spots.filter(({ port }) => port !== undefined).map(({ host }) => host));
  return spots.filter(({ host, port }) => port !== undefined || !withPort.has(host));
}

/** The hosts of URLs, and the text without them. */
function urlsIn(text: string): { spots: Spot[]; rest: string } {
  const spots: Spot[] = [];
  const rest = text.replaceAll(URL_PATTERN, (_, before: string, authority: string) => {
    const scheme = (before.split(':').at(-1) ?? '').toLowerCase();
    const hosts = authority.slice(authority.lastIndexOf('@') + 1).split(/[,;]/);
    for (const [i, part] of hosts.entries()) {
      const [, inner] = /^\w+\(([^)]*)\)?$/.exec(part) ?? [];
      const [, fixed, name, port] = AUTHORITY.exec(inner ?? part) ?? [];
      const host = fixed ?? name ?? '';
      // SQL Server's URLs go on with fields after a semicolon.
      if (host !== '' && (i === 0 || port !== undefined || authority.includes(','))) {
        spots.push({ host, port: toPort(port), scheme });
      }
    }
    return ' ';
  });
  return { spots, rest };
}

/** A value that is nothing but hosts: `db`, `zoo1,zoo2`. */
function inVariable(variable: string, text: string, service: ComposeService): Spot[] {
  if (!HOST_VARIABLE.test(variable)) return [];
  const words = text.trim().split(/[\s,;]+/);
  if (words.length > 32 || !words.every((word) => /^[a-zA-Z0-9_][\w.-]*$/.test(word))) return [];
  const port = pairedPort(variable, service.environment);
  return words.map((host) => ({ host, port, scheme: undefined }));
}

function inCommand(text: string): Spot[] {
  const flags = [...text.matchAll(HOST_FLAG)].map(([, host = '']) => {
    return { host, port: undefined, scheme: undefined };
  });
  const tools = [...text.matchAll(HOST_TOOL)].map(([, host = '', port]) => {
    return { host, port: toPort(port), scheme: undefined };
  });
  return [...flags, ...tools];
}

/** The port that the URL of a mention leads to where it names none. */
export function mentionedPort({ port, scheme }: Mention): number | undefined {
  return port ?? (scheme === undefined ? undefined : knownScheme(scheme)?.port);
}

function toPort(text: string | undefined): number | undefined {
  const port = Number(text);
  return text !== undefined && port > 0 && port <= 65_535 ? port : undefined;
}
