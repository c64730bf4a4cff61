// What must become of a compose file of the corpus: `expected.yml` beside it.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';

const CORPUS = import.meta.dirname;

/** Found in a text that explains. */
const pattern = z.string().transform((source) => new RegExp(source, 'is'));
const protocol = z.enum(['http', 'http2', 'grpc', 'tcp', '*']);

const meshedSchema = z.strictObject({
  /** Exactly these; `*`: whichever protocol. */
  ports: z.record(z.string(), protocol).default({}),
  /** The evidence of a port. */
  because: z.record(z.string(), pattern).default({}),
  /** Exactly those that something in the file says, and its evidence. */
  calls: z.record(z.string(), pattern).default({}),
  /** Nobody whom it may call. */
  never: z.array(z.string()).default([]),
  /** By which others reach it; default: its own. */
  names: z.array(z.string()).optional(),
  /** The same by network, where that matters. */
  networks: z.record(z.string(), z.array(z.string())).optional(),
  ownNames: z.record(z.string(), z.string()).default({}),
  /** As in the short form. */
  published: z.array(z.string()).default([]),
  name: z.string().optional(),
  shape: z.enum(['fronted', 'holder']).default('fronted'),
  job: z.boolean().default(false),
  replicas: z.number().default(1),
  profiles: z.array(z.string()).default([]),
  after: z.record(z.string(), z.string()).optional(),
  movedLabels: z.array(z.string()).default([]),
  /** None of its networks leads outside. */
  internal: z.boolean().default(false),
});

const schema = z.strictObject({
  files: z.array(z.string()).default(['compose.yml']),
  meshed: z.record(z.string(), meshedSchema).default({}),
  leftOut: z.record(z.string(), z.strictObject({ because: pattern, todo: pattern })).default({}),
  /** Meshed or left out: both are good, as long as it is said. */
  either: z.array(z.string()).default([]),
  /** Among the remarks. */
  says: z.array(pattern).default([]),
  /** In mesh.yaml. */
  mesh: z.array(pattern).default([]),
  /** How many networks of its own a service needs to tell its callees apart; default: one. */
  slots: z.record(z.string(), z.number()).default({}),
  /** The one line of the refusal, and its hint. */
  refused: pattern.optional(),
});

export type Expected = z.infer<typeof schema>;
export type ExpectedService = z.infer<typeof meshedSchema>;

export interface CorpusCase {
  readonly kind: string;
  readonly folder: string;
  readonly files: readonly string[];
  readonly expected: Expected;
}

export function readCorpus(): CorpusCase[] {
  return readdirSync(CORPUS, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name: kind }) => {
      const folder = join(CORPUS, kind);
      const expected = schema.parse(parse(readFileSync(join(folder, 'expected.yml'), 'utf8')));
      return { kind, folder, expected, files: expected.files.map((file) => join(folder, file)) };
    });
}
