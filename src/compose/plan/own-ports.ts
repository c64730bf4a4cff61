// Where a service says itself on which ports it listens: in its health check, in variables such as
// PORT, in its command, and in labels for a proxy in front.
import type { ComposeService } from '../project/index.js';
import { knownImageOf } from './known-images.js';
import type { PlannedProtocol } from './mesh-plan.js';
import { commandsOf, healthText, shortName } from './texts.js';

export interface PortHint {
  readonly number: number;
  /** Undefined: nothing is said about it. */
  readonly protocol: PlannedProtocol | undefined;
  readonly evidence: string;
}

/** `http://localhost:8080`, and the bare `localhost:8080`. */
const LOCAL_HOSTS = 'localhost|127\\.0\\.0\\.1|0\\.0\\.0\\.0|\\[?::1\\]?';
const LOCAL = new RegExp(
  `(?:([a-z]+):\\/\\/)?(?:[^\\s/@]*@)?(${LOCAL_HOSTS}|[\\w.-]+):(\\d{1,5})\\b`,
  'gi',
);
const LOCAL_WITHOUT_PORT = /\b(https?):\/\/(?:localhost|127\.0\.0\.1)(?=[/\s"']|$)/gi;
const HOST = /^(localhost|127\.0\.0\.1|0\.0\.0\.0|\[?::1\]?)$/i;
const PORT_FLAG = /(?:^|\s)(?:-p|--port)[=\s]+(\d{1,5})\b/gi;
/** `nc -z localhost 6379`, `/dev/tcp/localhost/80`. */
const SEPARATE = /\b(?:localhost|127\.0\.0\.1|0\.0\.0\.0)[\s/](\d{2,5})\b/g;

/** Ports that its own health check looks at. */
export function healthPorts(service: ComposeService, names: ReadonlySet<string>): PortHint[] {
  const text = healthText(service);
  const evidence = `health check of ${shortName(service.name)}`;
  const isGrpc = /grpc[_-]health[_-]probe|grpcurl/i.test(text);
  const isHttp = /\b(curl|wget|http\.get|urlopen|fetch\(|httpie)\b/i.test(text);
  const urls = [...text.matchAll(LOCAL)].flatMap(([, scheme, host = '', port]) => {
    if (!HOST.test(host) && !names.has(host.toLowerCase())) return [];
    const byScheme = scheme === undefined ? undefined : httpOf(scheme);
    const guess = isGrpc ? 'grpc' : isHttp ? 'http' : undefined;
    return { number: Number(port), protocol: byScheme ?? guess, evidence };
  });
  const defaults = [...text.matchAll(LOCAL_WITHOUT_PORT)].map(([, scheme = '']) => {
    const isPlain = scheme.toLowerCase() === 'http';
    return { number: isPlain ? 80 : 443, protocol: httpOf(scheme), evidence };
  });
  const others = [...text.matchAll(PORT_FLAG), ...text.matchAll(SEPARATE)].map(([, port]) => {
    return { number: Number(port), protocol: undefined, evidence };
  });
  return [...urls, ...defaults, ...others].filter(isPort);
}

function httpOf(scheme: string): PlannedProtocol | undefined {
  const name = scheme.toLowerCase();
  return name === 'http' ? 'http' : name === 'https' ? 'tcp' : undefined;
}

/** Variables that say where the service itself listens; those of others (DB_PORT) aren't here. */
const OWNER_WORDS = [
  ...['APP', 'HTTP', 'HTTPS', 'WEB', 'API', 'SERVER', 'SERVICE', 'LISTEN', 'GRPC', 'NODE', 'BIND'],
  ...['UVICORN', 'GUNICORN', 'FLASK', 'FLASK_RUN', 'NUXT', 'NITRO', 'VITE', 'QUARKUS_HTTP'],
  ...['MICRONAUT_SERVER', 'CONTAINER', 'INTERNAL'],
].join('|');
const OWN_PORT = new RegExp(`^(?:(?:${OWNER_WORDS})_)?PORT$`, 'i');
const ADDRESS_WORDS = 'ADDR(?:ESS)?|BIND|LISTEN(?:_ADDR(?:ESS)?)?';
const OWN_ADDRESS = new RegExp(
  `^(?:(?:${OWNER_WORDS})_)?(?:${ADDRESS_WORDS})$|^ASPNETCORE_(?:URLS|HTTP_PORTS)$`,
  'i',
);

/** Ports that its own variables name. */
export function variablePorts(service: ComposeService): PortHint[] {
  return [...service.environment]
    .flatMap(([variable, text]): PortHint[] => {
      const evidence = `${shortName(variable)} of ${shortName(service.name)}`;
      const protocol = /grpc/i.test(variable)
        ? 'grpc'
        : /^HTTP_/i.test(variable)
          ? 'http'
          : undefined;
      const found = OWN_PORT.test(variable)
        ? /^\s*(\d{1,5})\s*$/.exec(text)?.[1]
        : OWN_ADDRESS.test(variable)
          ? /(?:^|[:+*\]])(\d{1,5})\b/.exec(text)?.[1]
          : undefined;
      return found === undefined ? [] : [{ number: Number(found), protocol, evidence }];
    })
    .filter(isPort);
}

const FLAG_WORDS =
  'p|b|port|http-port|grpc-port|http|bind|listen|addr|address|web\\.listen-address';
const LISTEN_FLAG = new RegExp(
  `(?:^|\\s)--?(?:[\\w.]*-)?(?:${FLAG_WORDS})[=\\s]+(?:\\[?[\\w.:*]*\\]?:)?(\\d{2,5})\\b`,
  'gi',
);
const ANY_ADDRESS = /(?:^|\s)(?:0\.0\.0\.0|\[::\])?:(\d{2,5})(?=\s|$)/g;
/** `runserver 0.0.0.0:8000` */
const ALL_ADDRESSES = /\b0\.0\.0\.0:(\d{2,5})\b/g;

/** Ports that its command or entrypoint names as its own. */
export function commandPorts(service: ComposeService): PortHint[] {
  return commandsOf(service)
    .flatMap(({ text, where }) => {
      const found = [LISTEN_FLAG, ANY_ADDRESS, ALL_ADDRESSES].flatMap((pattern) => [
        ...text.matchAll(pattern),
      ]);
      return found.map(([, port]) => ({
        number: Number(port),
        protocol: undefined,
        evidence: where,
      }));
    })
    .filter(isPort);
}

/** Ports that labels and variables for a proxy in front name. */
export function proxyPorts(service: ComposeService): PortHint[] {
  const of = `of ${shortName(service.name)}`;
  const labels = [...service.labels].flatMap(([label, text]): PortHint[] => {
    const traefik = /^traefik\.(http|tcp)\.services\..*\.loadbalancer\.server\.port$/i.exec(label);
    if (traefik !== null) {
      const isTls = [...service.labels].some(([key, value]) => {
        return /loadbalancer\.server\.scheme$/i.test(key) && value.toLowerCase() !== 'http';
      });
      const protocol = traefik[1] === 'http' && !isTls ? 'http' : 'tcp';
      return [{ number: Number(text), protocol, evidence: `label for Traefik ${of}` }];
    }
    const caddy = /^caddy.*reverse_proxy/i.test(label) && /upstreams\s+(\d{1,5})/.exec(text);
    if (!caddy) return [];
    return [{ number: Number(caddy[1]), protocol: 'http', evidence: `label for Caddy ${of}` }];
  });
  const port = service.environment.get('VIRTUAL_PORT');
  const isPlain = (service.environment.get('VIRTUAL_PROTO') ?? 'http') === 'http';
  const virtual: PortHint[] =
    port === undefined || !isPlain
      ? []
      : [{ number: Number(port), protocol: 'http', evidence: `VIRTUAL_PORT ${of}` }];
  return [...labels, ...virtual].filter(isPort);
}

/** Ports that are usual for its image. */
export function imagePorts(service: ComposeService): PortHint[] {
  const known = knownImageOf(service);
  if (known === undefined) return [];
  return known.ports.map((port) => ({ ...port, evidence: `image ${shortName(known.name)}` }));
}

function isPort({ number }: PortHint): boolean {
  return Number.isInteger(number) && number > 0 && number <= 65_535;
}
