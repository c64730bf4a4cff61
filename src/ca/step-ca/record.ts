// What the data folder remembers of the outside CA, so that commands use the same one beside the
// server, from any folder they are called in, and so that a start notices when the mesh's roots
// were swapped: verifiers that still trust only the former ones would refuse every new leaf.
// Nothing in it is secret; the key stays where mesh.yaml says.
import { resolve } from 'node:path';
import { z } from 'zod';
import { createJsonStore, type DataDir } from '../../data/index.js';

export const STEP_CA_FILE = 'step-ca.json';
const schema = z.strictObject({
  trustDomain: z.string(),
  url: z.string(),
  provisioner: z.string(),
  /** Absolute. */
  keyPath: z.string(),
  rootsPem: z.string(),
});

export type StepCaRecord = z.infer<typeof schema>;

const openStore = (dataDir: DataDir) =>
  createJsonStore({ dataDir, name: STEP_CA_FILE, schema, version: 1 });

/** Undefined where the mesh has its own CA. @throws MeshError data-damaged, data-unreadable */
export async function readStepCaRecord(dataDir: DataDir): Promise<StepCaRecord | undefined> {
  return openStore(dataDir).read();
}

/** Durable when the promise resolves. @throws MeshError data-unwritable */
export async function writeRecord(dataDir: DataDir, record: StepCaRecord): Promise<void> {
  const { trustDomain, url, provisioner, keyPath, rootsPem } = record;
  await openStore(dataDir).write({
    ...{ trustDomain, url, provisioner },
    keyPath: resolve(keyPath),
    rootsPem,
  });
}

/** The mesh has its own CA again. @throws MeshError data-unwritable */
export async function removeRecord(dataDir: DataDir): Promise<void> {
  await dataDir.remove(STEP_CA_FILE);
}
