// Reading back what was stored as JSON. The shape is checked as strictly as a user's file; an error
// names the file and the place in it but never its content, which has keys in it.
import type { z } from 'zod';
import { type DataDir, damaged } from './data-dir.js';

/**
 * The content of a file of the data folder; undefined where there is none.
 * @throws MeshError data-damaged, data-unreadable
 */
export async function parseStored<T>(options: {
  readonly dataDir: DataDir;
  readonly name: string;
  readonly schema: z.ZodType<T>;
}): Promise<T | undefined> {
  const { dataDir, name, schema } = options;
  const content = await dataDir.read(name);
  if (content === undefined) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(content.toString('utf8'));
  } catch {
    throw damaged({ dataDir, name, what: 'expected JSON but got other content' });
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const place = issue === undefined || issue.path.length === 0 ? 'the file' : issue.path.join('.');
  throw damaged({ dataDir, name, what: `expected ${place} as it was stored but got another form` });
}
