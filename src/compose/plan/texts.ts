// The texts of a service in which others may be named, and where each stands, for evidence.
import { toShortText } from '../../base/index.js';
import type { ComposeService } from '../project/index.js';

export interface ServiceText {
  /** `DATABASE_URL of api`: no value is ever in it. */
  readonly where: string;
  /** The variable; undefined for words of a command. */
  readonly variable: string | undefined;
  readonly text: string;
}

/** Characters of a text that are looked at: longer ones are scripts and certificates. */
const LONGEST_TEXT = 20_000;
const LONGEST_NAME = 64;

export function shortName(name: string): string {
  return toShortText(name, LONGEST_NAME);
}

export function textsOf(service: ComposeService): ServiceText[] {
  const of = `of ${shortName(service.name)}`;
  const variables = [...service.environment].map(([variable, text]) => {
    return { where: `${shortName(variable)} ${of}`, variable, text: cut(text) };
  });
  const files = service.configFiles.map(({ name, text }) => {
    return { where: `${shortName(name)} ${of}`, variable: undefined, text };
  });
  return [...variables, ...commandsOf(service), ...files];
}

/** Command and entrypoint. */
export function commandsOf(service: ComposeService): ServiceText[] {
  const of = `of ${shortName(service.name)}`;
  const commands = [
    { what: 'entrypoint', words: service.entrypoint },
    { what: 'command', words: service.command },
  ];
  return commands.flatMap(({ what, words }) => {
    if (words === undefined || words.length === 0) return [];
    return [{ where: `${what} ${of}`, variable: undefined, text: cut(words.join(' ')) }];
  });
}

/** The health check's words as one text; empty where there is none. */
export function healthText({ healthcheck }: ComposeService): string {
  return cut((healthcheck ?? []).join(' '));
}

function cut(text: string): string {
  return text.slice(0, LONGEST_TEXT);
}
