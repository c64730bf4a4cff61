// A certificate with its key as one file of the data folder: the form of the xDS port's anchor and
// server certificate. Whether it is what it should be is for the caller to judge.
import { z } from 'zod';
import { type DataDir, damaged, parseStored } from '../../data/index.js';
import { type Issuer, toIssuer } from '../../x509/issue/index.js';
import { readCertificate, splitPem } from '../../x509/read/index.js';

const schema = z.strictObject({
  version: z.literal(1),
  certificatePem: z.string(),
  privateKeyPem: z.string(),
});

/** Undefined where there is no such file. @throws MeshError data-damaged, data-unreadable */
export async function loadIssuer(dataDir: DataDir, name: string): Promise<Issuer | undefined> {
  const stored = await parseStored({ dataDir, name, schema });
  if (stored === undefined) return undefined;
  try {
    const [der = Buffer.alloc(0)] = splitPem(stored.certificatePem);
    return toIssuer(
      { facts: readCertificate(der), pem: stored.certificatePem },
      stored.privateKeyPem,
    );
  } catch {
    throw damaged({ dataDir, name, what: 'expected a certificate and its key but got other text' });
  }
}

/** The file's content. */
export function serializeIssuer({ pem, privateKeyPem }: Issuer): string {
  const stored: z.infer<typeof schema> = { version: 1, certificatePem: pem, privateKeyPem };
  return `${JSON.stringify(stored, undefined, 1)}\n`;
}
