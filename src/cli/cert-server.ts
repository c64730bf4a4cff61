// Certificates from a running server, for `cert --xds`. The key is made here and stays here. A
// token gets the first certificate, and each certificate gets the next, so a token may expire once
// it has been used. What comes back is checked before it replaces anything.

import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Cancel, MeshError, SECOND_MS, systemErrorCode } from '../base/index.js';
import { XDS_SERVER_NAME } from '../ca/xds/index.js';
import type { CallerCredential } from '../grpc/certificates/index.js';
import { checkReceived } from '../leaves/index.js';
import type { ServiceName } from '../policy/index.js';
import type { KeyType } from '../spiffe/index.js';
import type { Context } from '../terminal/index.js';
import { createCsr, toCsrPem } from '../x509/issue/index.js';
import { generateKeys } from '../x509/keys/index.js';
import type { AnchorsFollowing, AnchorsListeners, CertSource, Obtained } from './cert-source.js';
import { formatHostPort, type HostPort, usage } from './options.js';

export interface ServerSourceOptions {
  readonly service: ServiceName;
  /** The folder whose certificate is renewed. */
  readonly out: string;
  readonly xds: HostPort;
  /** PEM file of the xDS port's anchor. */
  readonly anchorFile: string;
  readonly tokenFile: string | undefined;
  readonly key: KeyType;
  /** Undefined: the longest that the mesh allows. */
  readonly ttlMs: number | undefined;
  readonly context: Context;
}

/**
 * Reads the files each time, since they may be replaced.
 * @throws MeshError (from the source) usage for a file that is not what it should be;
 * server-unreachable; the server's own refusal; certificate-invalid, token-wrong-service.
 */
export function createServerSource(options: ServerSourceOptions): CertSource {
  return {
    obtain: () => obtain(options),
    follow: (listeners) => followServer(options, listeners),
  };
}

async function obtain(options: ServerSourceOptions): Promise<Obtained> {
  const { service, xds, key, ttlMs = 0, context } = options;
  const { clock } = context;
  const anchorPem = await readAnchor(options.anchorFile);
  const tried = [tryCurrent(options), readToken(options.tokenFile)];
  const keys = await generateKeys(key);
  const chain = await askInTurn(tried, async (credential) => {
    const { requestCertificate } = await import('../grpc/certificates/index.js');
    return requestCertificate({
      ...{ address: formatHostPort(xds), anchorPem, serverName: XDS_SERVER_NAME },
      ...{ credential, csrPem: toCsrPem(createCsr({ keys })), clock },
      validityS: Math.floor(ttlMs / SECOND_MS),
    });
  });
  const chainPem = chain.slice(0, -1).join('');
  const anchorsPem = chain.at(-1) ?? '';
  const { privateKeyPem: keyPem } = keys;
  const nowMs = clock.now();
  const facts = checkReceived({ chainPem, anchorsPem, keyPem, nowMs });
  if (!isFor(service, facts)) {
    const message = `expected a certificate for "${service}" but got one for ${facts.spiffeId}`;
    throw new MeshError('token-wrong-service', message, {
      hint: `the token is for another service: make one with \`countersign token ${service}\``,
    });
  }
  const { spiffeId, serialHex, notAfterMs } = facts;
  const issuedAtMs = nowMs;
  return { spiffeId, serialHex, issuedAtMs, notAfterMs, keyPem, chainPem, anchorsPem };
}

/** What the server says of its anchors, who is known by its xDS anchor. */
function followServer(
  options: ServerSourceOptions,
  { onAnchors, onProblem }: AnchorsListeners,
): AnchorsFollowing {
  let isEnded = false;
  let cancel: Cancel = () => undefined;
  const begin = async (): Promise<void> => {
    const anchorPem = await readAnchor(options.anchorFile);
    const { watchAnchors } = await import('../grpc/certificates/index.js');
    if (isEnded) return;
    cancel = watchAnchors({
      ...{ address: formatHostPort(options.xds), anchorPem, serverName: XDS_SERVER_NAME },
      clock: options.context.clock,
      credential: async () => (await tryCurrent(options)) ?? (await readToken(options.tokenFile)),
      onAnchors,
      onProblem,
    });
  };
  begin().catch(onProblem);
  return {
    look: async () => undefined,
    end: () => {
      isEnded = true;
      cancel();
    },
  };
}

type Ask = (credential: CallerCredential) => Promise<readonly string[]>;

/** Tries the credentials in turn; the error says why the last one was refused. */
async function askInTurn(
  tried: readonly Promise<CallerCredential | undefined>[],
  ask: Ask,
): Promise<readonly string[]> {
  // All at once, so that no rejection goes unhandled.
  const credentials = (await Promise.all(tried)).filter((one) => one !== undefined);
  let refusal = usage(
    'expected --token-file, since --out holds no valid certificate for that service',
    'make a token with `countersign token`, and copy its file here',
  );
  for (const credential of credentials) {
    try {
      return await ask(credential);
    } catch (error) {
      if (!(error instanceof MeshError)) throw error;
      refusal = error;
    }
  }
  throw refusal;
}

/** What an earlier run left in --out, if it is a valid certificate for the same service. */
async function tryCurrent(options: ServerSourceOptions): Promise<CallerCredential | undefined> {
  const { out, service, context } = options;
  try {
    const read = (name: string): Promise<string> => readFile(join(out, name), 'utf8');
    const keyPem = await read('key.pem');
    const chainPem = await read('cert.pem');
    const anchorsPem = await read('bundle.pem');
    const facts = checkReceived({ chainPem, anchorsPem, keyPem, nowMs: context.clock.now() });
    return isFor(service, facts) ? { kind: 'certificate', chainPem, keyPem } : undefined;
  } catch {
    // It is missing, expired or half replaced: it proves nothing, and is about to be replaced.
    return undefined;
  }
}

/** Every leaf of a service has this name, whatever its account (MODEL.md, "Identity"). */
function isFor(service: ServiceName, { dnsNames }: { dnsNames: readonly string[] }): boolean {
  const [first = '', second] = service.split('/');
  return dnsNames.includes(second === undefined ? `${first}.default` : `${second}.${first}`);
}

async function readToken(path: string | undefined): Promise<CallerCredential | undefined> {
  if (path === undefined) return undefined;
  const token = (await readText(path, '--token-file')).trim();
  // Only what a header may carry. The message must not repeat it.
  if (/^[\x21-\x7e]+$/.test(token)) return { kind: 'token', token };
  const message = `--token-file: expected a token in ${path} but got something else`;
  throw usage(message, 'make one with `countersign token`');
}

async function readAnchor(path: string): Promise<string> {
  const pem = await readText(path, '--xds-ca');
  try {
    return new X509Certificate(pem).toString();
  } catch {
    const message = `--xds-ca: expected a certificate in PEM in ${path} but got something else`;
    throw usage(message, "print it with `countersign ca bundle --xds` on the server's data folder");
  }
}

async function readText(path: string, option: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const code = systemErrorCode(error) ?? 'an error';
    throw usage(`${option}: expected a file to read at ${path} but got ${code}`);
  }
}
