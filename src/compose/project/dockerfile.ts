// What a Dockerfile says about the image that comes of it: the image that its last stage begins
// with, and the ports that it exposes. A Dockerfile that can't be read says nothing.
import { resolve } from 'node:path';
import type { DockerfileFacts } from './compose-project.js';
import type { SourceFiles } from './source-files.js';
import { isMap, textOf, type Value } from './values.js';

/** Stages that begin with one another. */
const MAX_STAGES = 32;
const FROM = /^(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?/i;
/** `A=1 B=2`, and the older `A 1`. */
const SETTING = /(\w+)[= ]"?([^\s"]*)"?/g;
const EXPOSED = /(?<!\S)(\d{1,5})(?:\/(\w+))?(?!\S)/g;
const REMOTE = /^[a-z][\w+.-]*:\/\/|^git@/i;

/** @param folder of relative paths */
export async function readDockerfile(
  build: Value | undefined,
  { sources, folder }: { sources: SourceFiles; folder: string },
): Promise<DockerfileFacts | undefined> {
  const settings = isMap(build) ? build : undefined;
  const context = settings === undefined ? textOf(build) : (textOf(settings['context']) ?? '.');
  if (context === undefined || REMOTE.test(context)) return undefined;
  const target = textOf(settings?.['target']);
  const inline = textOf(settings?.['dockerfile_inline']);
  if (inline !== undefined) return toDockerfileFacts(inline, target);
  const file = textOf(settings?.['dockerfile']) ?? 'Dockerfile';
  const text = await sources.read(resolve(folder, context, file)).catch(() => undefined);
  return text === undefined ? undefined : toDockerfileFacts(text, target);
}

interface Stage {
  readonly name: string;
  readonly from: string;
  readonly exposed: number[];
}

function toDockerfileFacts(text: string, target: string | undefined): DockerfileFacts {
  const stages: Stage[] = [];
  const variables = new Map<string, string>();
  for (const line of text.replaceAll(/\\[ \t]*\r?\n/g, ' ').split(/\r?\n/)) {
    const [, name = '', rest = ''] = /^\s*(FROM|ENV|ARG|EXPOSE)\s+(.*)$/i.exec(line) ?? [];
    switch (name.toUpperCase()) {
      case 'FROM': {
        const [, from = '', as = ''] = FROM.exec(replaced(rest, variables)) ?? [];
        stages.push({ name: as.toLowerCase(), from, exposed: [] });
        break;
      }
      case 'EXPOSE':
        stages.at(-1)?.exposed.push(...exposedIn(replaced(rest, variables)));
        break;
      case 'ENV':
      case 'ARG':
        for (const [, key = '', value = ''] of rest.matchAll(SETTING)) variables.set(key, value);
        break;
    }
  }
  return follow(stages, target?.toLowerCase());
}

/** With what the Dockerfile sets itself; other variables stay. */
function replaced(text: string, variables: ReadonlyMap<string, string>): string {
  return text.replaceAll(/\$(?:\{(\w+)\}|(\w+))/g, (whole, braced?: string, plain?: string) => {
    return variables.get(braced ?? plain ?? '') ?? whole;
  });
}

function exposedIn(text: string): number[] {
  return [...text.matchAll(EXPOSED)].flatMap(([, port, protocol = 'tcp']) => {
    return protocol.toLowerCase() === 'tcp' ? Number(port) : [];
  });
}

/** The stage that is built, with those that it begins with. */
function follow(stages: readonly Stage[], target: string | undefined): DockerfileFacts {
  const exposed = new Set<number>();
  let stage = stages.findLast(({ name }) => name === target && name !== '') ?? stages.at(-1);
  for (let i = 0; stage !== undefined && i < MAX_STAGES; i++) {
    for (const port of stage.exposed) if (port > 0 && port <= 65_535) exposed.add(port);
    const { from, name: own } = stage;
    const base: Stage | undefined = stages.find(({ name }) => {
      return name !== '' && name !== own && name === from.toLowerCase();
    });
    if (base === undefined) {
      return { from: from.includes('$') ? undefined : from, exposed: [...exposed] };
    }
    stage = base;
  }
  return { from: undefined, exposed: [...exposed] };
}
