import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Where Debian keeps the programs of each version. */
const DEBIAN = '/usr/lib/postgresql';

/**
 * The folder of PostgreSQL's programs: on PATH, or the newest of Debian's. Where there is none, a
 * reason to skip with, but with CI=true an error: there a skipped test would pass for a proof.
 */
export function requirePostgres(env = process.env): { bin: string } | { reason: string } {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort().reverse() : [];
  const folders = [
    ...versions.map((version) => join(DEBIAN, version, 'bin')),
    ...(env['PATH'] ?? '').split(delimiter),
  ];
  const bin = folders.find((folder) => existsSync(join(folder, 'initdb')));
  if (bin !== undefined) return { bin };
  const reason = 'no PostgreSQL: install the package postgresql';
  if (env['CI'] === 'true') throw new Error(reason);
  return { reason };
}
