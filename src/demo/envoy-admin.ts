import { MeshError } from '../base/index.js';
import { type HttpAnswer, httpCall } from './http-client.js';

/**
 * Envoy's own JSON, as its admin interface prints it (snake_case); only what is read here is typed.
 */
export interface ConfigDump {
  readonly configs: readonly ({ readonly '@type': string } & Readonly<Record<string, unknown>>)[];
}

interface SocketAddress {
  readonly socket_address?: { readonly address: string; readonly port_value: number };
}

export interface CertificateStatus {
  readonly path?: string;
  readonly serial_number: string;
  readonly subject_alt_names: readonly { readonly uri?: string; readonly dns?: string }[];
  /** RFC 3339. */
  readonly valid_from: string;
  readonly expiration_time: string;
}

export interface ListenerStatus {
  readonly name: string;
  readonly local_address: SocketAddress;
}

/**
 * Client of one Envoy's admin interface. A call rejects with the system's error if nothing listens,
 * and with MeshError `child-failed` if Envoy answers anything but 200.
 */
export class EnvoyAdmin {
  constructor(
    readonly address: string,
    readonly port: number,
  ) {}

  /** Whether Envoy says LIVE: it has the first configuration of every kind that it waits for. */
  async ready(): Promise<boolean> {
    try {
      const { status, body } = await this.#call('/ready');
      return status === 200 && body.trim() === 'LIVE';
    } catch {
      return false;
    }
  }

  /** Counters and gauges whose name matches (RE2 syntax, anywhere in the name), zeroes included. */
  async stats(pattern: RegExp | string = ''): Promise<ReadonlyMap<string, number>> {
    const filter = encodeURIComponent(typeof pattern === 'string' ? pattern : pattern.source);
    const text = await this.#get(`/stats?filter=${filter}`);
    const stats = new Map<string, number>();
    for (const line of text.split('\n')) {
      const match = /^(.+): (\d+)$/.exec(line);
      if (match?.[1] !== undefined) stats.set(match[1], Number(match[2]));
    }
    return stats;
  }

  /** One counter or gauge by its exact name; 0 if Envoy doesn't have it yet. */
  async stat(name: string): Promise<number> {
    const exact = `^${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`;
    return (await this.stats(exact)).get(name) ?? 0;
  }

  /** The configuration in force, EDS included. Envoy redacts secrets. */
  configDump(): Promise<ConfigDump> {
    return this.#json('/config_dump?include_eds');
  }

  async listeners(): Promise<readonly ListenerStatus[]> {
    const answer = await this.#json<{ listener_statuses?: ListenerStatus[] }>(
      '/listeners?format=json',
    );
    return answer.listener_statuses ?? [];
  }

  /** Every certificate that Envoy has in use: its leaves (`leaf`) and its anchors (`ca`). */
  async certificates(): Promise<
    readonly { readonly ca: CertificateStatus[]; readonly leaf: CertificateStatus[] }[]
  > {
    const answer = await this.#json<{
      certificates?: { ca_cert?: CertificateStatus[]; cert_chain?: CertificateStatus[] }[];
    }>('/certs');
    return (answer.certificates ?? []).map((entry) => ({
      ca: entry.ca_cert ?? [],
      leaf: entry.cert_chain ?? [],
    }));
  }

  /** Every stat in Envoy's text form, for a dump. */
  statsText(): Promise<string> {
    return this.#get('/stats');
  }

  async #json<T>(path: string): Promise<T> {
    return JSON.parse(await this.#get(path)) as T;
  }

  async #get(path: string): Promise<string> {
    const { status, body } = await this.#call(path);
    if (status === 200) return body;
    const text = body.slice(0, 200).trim();
    throw new MeshError(
      'child-failed',
      `expected 200 from Envoy's admin for GET ${path} but got ${status} "${text}"`,
    );
  }

  #call(path: string): Promise<HttpAnswer> {
    return httpCall({ address: this.address, port: this.port, path });
  }
}
