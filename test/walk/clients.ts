// Clients without a sidecar: the certificates that the built command keeps new for them.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { TlsOptions } from '../../src/demo/tls-client.js';
import { eventually, type Harness } from '../harness/index.js';
import { PROGRAM, type TestProcess } from '../harness/process.js';

/** Renewed at half of it. */
const TTL = '20s';

export interface ClientsOptions {
  readonly harness: Harness;
  /** Where each has a folder. */
  readonly dir: string;
  /** The server's data folder. */
  readonly data: string;
}

export class Clients {
  readonly #options: ClientsOptions;
  readonly #certificates = new Map<string, TlsOptions>();
  readonly #watches = new Map<string, TestProcess>();

  constructor(options: ClientsOptions) {
    this.#options = options;
  }

  /** The certificate that it has now, and the anchors. */
  certificate(service: string): TlsOptions {
    const read = (name: string): string => readFileSync(join(this.#folder(service), name), 'utf8');
    const known = this.#certificates.get(service);
    try {
      const [key, cert, ca] = [read('key.pem'), read('cert.pem'), read('bundle.pem')];
      if (known?.cert === cert && known.ca === ca) return known;
      // Two files are never replaced at once: one of each makes no pair.
      const isPair = new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
      if (!isPair) throw new Error(`the key of ${service} is not yet that of its certificate`);
      const found = { key, cert, ca, verifyName: false } as const;
      this.#certificates.set(service, found);
      return found;
    } catch (error) {
      if (known === undefined) throw error;
      return known;
    }
  }

  async start(service: string): Promise<void> {
    const out = this.#folder(service);
    mkdirSync(out);
    const argv = ['cert', service, '--out', out, '--watch', '--ttl', TTL];
    const started = await this.#options.harness.process({
      ...{ name: `countersign cert ${service}`, command: process.execPath },
      args: [PROGRAM, ...argv, '--data', this.#options.data],
    });
    this.#watches.set(service, started);
    await eventually(() => this.certificate(service), { what: `a certificate of ${service}` });
  }

  /** Another certificate, by a command that is started anew: one that was refused has ended. */
  async renew(service: string): Promise<void> {
    await this.#watches.get(service)?.child.kill();
    this.#certificates.delete(service);
    rmSync(this.#folder(service), { recursive: true });
    await this.start(service);
  }

  #folder(service: string): string {
    return join(this.#options.dir, service);
  }
}
