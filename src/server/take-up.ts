import { type Logger, MeshError } from '../base/index.js';
import type { DataDir } from '../data/index.js';

/**
 * Takes up a record that may be lost: where it is damaged it is set aside, and begun anew.
 * @throws MeshError data-unreadable, data-unwritable
 */
export async function takeUp(
  name: string,
  restore: () => Promise<void>,
  { dataDir, logger }: { readonly dataDir: DataDir; readonly logger: Pick<Logger, 'error'> },
): Promise<void> {
  try {
    await restore();
  } catch (err) {
    if (!(err instanceof MeshError) || err.code !== 'data-damaged') throw err;
    const aside = await dataDir.setAside(name);
    logger.error({ err, aside }, 'a damaged record was set aside, and is begun anew');
  }
}
