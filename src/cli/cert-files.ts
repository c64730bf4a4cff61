// What `cert` writes: key, chain and trust anchors as files, whole at any moment, and what it says
// of them.
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { toRfc3339 } from '../base/index.js';
import type { ServiceName } from '../policy/index.js';
import { type Context, writeLine } from '../terminal/index.js';
import type { CertSource, Obtained } from './cert-source.js';
import { type OutputFile, PRIVATE_MODE, PUBLIC_MODE, writeOutput } from './output-file.js';
import type { P12Output } from './p12-output.js';

export interface CertOrder {
  readonly service: ServiceName;
  readonly out: string;
  readonly json: boolean;
  readonly p12: P12Output | undefined;
}

/** Obtains, then writes. */
export async function issue(
  source: CertSource,
  order: CertOrder,
  context: Context,
): Promise<Obtained> {
  const { random } = context;
  const obtained = await source.obtain(await trySerial(order.out));
  const toFile = (name: string, content: string, mode: number): OutputFile => ({
    ...{ path: join(order.out, name), content, mode, random },
  });
  const p12 = await order.p12?.toFile(obtained);
  // The certificate last: who watches it finds its key and anchors already there.
  for (const file of [
    toFile('bundle.pem', obtained.anchorsPem, PUBLIC_MODE),
    toFile('key.pem', obtained.keyPem, PRIVATE_MODE),
    ...(p12 === undefined ? [] : [p12]),
    toFile('cert.pem', obtained.chainPem, PUBLIC_MODE),
  ]) {
    await writeOutput(file);
  }
  printIssued(obtained, order, context);
  return obtained;
}

/** The trust anchors alone have changed: key and certificate stay. */
export async function writeAnchors(
  obtained: Obtained,
  { out, p12, json }: CertOrder,
  { random, stdout }: Context,
): Promise<void> {
  const content = obtained.anchorsPem;
  await writeOutput({ path: join(out, 'bundle.pem'), content, mode: PUBLIC_MODE, random });
  const keystore = await p12?.toFile(obtained);
  if (keystore !== undefined) await writeOutput(keystore);
  const files = keystore === undefined ? 'bundle.pem' : `bundle.pem and ${keystore.path}`;
  writeLine(
    stdout,
    json
      ? JSON.stringify({ anchors: { out } }, undefined, 2)
      : `wrote ${files} to ${out}: the trust anchors have changed`,
  );
}

/** Of the certificate whose files are replaced; undefined where there is none. */
async function trySerial(out: string): Promise<string | undefined> {
  try {
    const certificate = new X509Certificate(await readFile(join(out, 'cert.pem')));
    return certificate.serialNumber.toLowerCase();
  } catch {
    return undefined;
  }
}

function printIssued(obtained: Obtained, order: CertOrder, { stdout }: Context): void {
  const { service, out, json, p12 } = order;
  const { serialHex: serial, spiffeId } = obtained;
  const notAfter = toRfc3339(obtained.notAfterMs);
  if (json) {
    const keystore = p12 && { p12: p12.path, p12PasswordFile: p12.passwordPath };
    const certificate = { serial, service, spiffeId, notAfter, out, ...keystore };
    writeLine(stdout, JSON.stringify({ certificate }, undefined, 2));
    return;
  }
  writeLine(stdout, `wrote key.pem, cert.pem and bundle.pem to ${out}`);
  if (p12 !== undefined) {
    writeLine(stdout, `wrote ${p12.path}, whose password is in ${p12.passwordPath}`);
  }
  writeLine(stdout, `${spiffeId} serial ${serial}, ends ${notAfter}`);
}
