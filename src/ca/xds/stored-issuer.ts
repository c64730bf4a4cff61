// A certificate with its key as one file of the data folder: the form of the xDS port's anchor and
// server certificate. Whether it is what it should be is for the caller to judge.
import { z } from 'zod';
import { createJsonStore, type DataDir, type DurableStore, damaged } from '../../data/index.js';
import { type Issuer, toIssuer } from '../../x509/issue/index.js';
import { readCertificate, splitPem } from '../../x509/read/index.js';

const schema = z.strictObject({
  certificatePem: z.string(),
  privateKeyPem: z.string(),
});

/** Undefined where there is no such file. @throws MeshError data-damaged, data-unreadable */
export async function loadIssuer(dataDir: DataDir, name: string): Promise<Issuer | undefined> {
  const stored = await openStore(dataDir, name).read();
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

/** Replaces the file. @throws MeshError data-unwritable */
export function writeIssuer(dataDir: DataDir, name: string, issuer: Issuer): Promise<void> {
  return openStore(dataDir, name).write(toStored(issuer));
}

/** Makes the file; false where there is one already. @throws MeshError data-unwritable */
export function createIssuer(dataDir: DataDir, name: string, issuer: Issuer): Promise<boolean> {
  return openStore(dataDir, name).create(toStored(issuer));
}

type Stored = z.infer<typeof schema>;

function openStore(dataDir: DataDir, name: string): DurableStore<Stored> {
  return createJsonStore({ dataDir, name, schema, version: 1 });
}

function toStored({ pem, privateKeyPem }: Issuer): Stored {
  return { certificatePem: pem, privateKeyPem };
}
