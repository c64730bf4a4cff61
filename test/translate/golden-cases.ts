import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import type { Mesh, ServiceName } from '../../src/policy/index.js';
import { NOTHING_REVOKED, type Revoked } from '../../src/translate/index.js';
import { meshOf } from '../policy/helpers.js';
import { type Translated, translate } from './translated.js';

// test/goldens/<case>/mesh.yaml and, beside it, what each service's sidecar is sent:
// <service>.golden.yaml (a slash in the name is a dot). A service that is sent nothing has no file.
// A case may have a revoked.yaml: what is shut out there.

const FOLDER = fileURLToPath(new URL('../goldens', import.meta.url));
const ENDING = '.golden.yaml';

export const goldenCases: readonly string[] = readdirSync(FOLDER)
  .filter((name) => existsSync(join(FOLDER, name, 'mesh.yaml')))
  .sort();

export function meshOfCase(name: string): Mesh {
  return meshOf(readFileSync(join(FOLDER, name, 'mesh.yaml'), 'utf8'));
}

interface RevokedFile {
  readonly deniedIds: readonly string[];
  readonly services: readonly ServiceName[];
  readonly inboundMarks: Readonly<Record<string, string>>;
  readonly plainMarks?: Readonly<Record<string, string>>;
  readonly outboundMarks: Readonly<Record<string, string>>;
}

function revokedOfCase(name: string): Revoked {
  const path = join(FOLDER, name, 'revoked.yaml');
  if (!existsSync(path)) return NOTHING_REVOKED;
  const file = parse(readFileSync(path, 'utf8')) as RevokedFile;
  return {
    deniedIds: file.deniedIds,
    services: new Set(file.services),
    inboundMarks: new Map(Object.entries(file.inboundMarks)),
    plainMarks: new Map(Object.entries(file.plainMarks ?? {})),
    outboundMarks: new Map(Object.entries(file.outboundMarks)),
  };
}

/** Golden files of a case as they stand, by service. */
export function readGoldens(name: string): Map<string, string> {
  const files = readdirSync(join(FOLDER, name)).filter((file) => file.endsWith(ENDING));
  return new Map(
    files.sort().map((file) => {
      const service = file.slice(0, -ENDING.length).replace('.', '/');
      return [service, readFileSync(join(FOLDER, name, file), 'utf8')];
    }),
  );
}

/** What the files are to be. */
export function toGoldens(name: string): Map<string, string> {
  const mesh = meshOfCase(name);
  const revoked = revokedOfCase(name);
  const goldens = new Map<string, string>();
  for (const service of mesh.services.values()) {
    if (!service.sidecar) continue;
    const sections = Object.entries(translate(mesh, { name: service.name, revoked })).filter(
      ([, messages]) => messages.length > 0,
    );
    if (sections.length === 0) continue;
    goldens.set(
      service.name,
      stringify(Object.fromEntries(sections), { aliasDuplicateObjects: false, lineWidth: 0 }),
    );
  }
  return new Map([...goldens].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Replaces the files of a case; those of no service go. */
export function writeGoldens(name: string, goldens: ReadonlyMap<string, string>): void {
  for (const service of readGoldens(name).keys()) rmSync(fileOf(name, service));
  mkdirSync(join(FOLDER, name), { recursive: true });
  for (const [service, text] of goldens) writeFileSync(fileOf(name, service), text);
}

export function parseGolden(text: string): Partial<Translated> {
  return parse(text) as Partial<Translated>;
}

function fileOf(name: string, service: string): string {
  return join(FOLDER, name, `${service.replace('/', '.')}${ENDING}`);
}
