// What a stream of a static Envoy asks for: remembered, and told where it asks in vain, since Envoy
// itself waits for such a secret without a word.
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from '../../base/index.js';
import { TYPE_URLS } from '../../xds/index.js';
import { toKnownSecrets } from './asked-secrets.js';
import type { Member } from './member.js';
import type { StaticEnvoys } from './static-envoys.js';

/** So many are named in one line of the log. */
const NAMED = 5;

export interface NoteSecretsOptions {
  readonly staticEnvoys: Pick<StaticEnvoys, 'note'>;
  readonly logger: Pick<Logger, 'error'>;
}

/** Call whenever it has asked, or what there is for it has changed. */
export function noteSecrets(member: Member, { staticEnvoys, logger }: NoteSecretsOptions): void {
  const { stream, sent, unknownSecrets: names } = member;
  if (stream.auth.isStatic === undefined || sent === undefined) return;
  staticEnvoys.note(stream, toKnownSecrets(stream, sent.snapshot));
  if (isDeepStrictEqual(names, member.loggedUnknown)) return;
  member.loggedUnknown = names;
  if (names.length === 0) return;
  const { node } = stream.auth;
  const has = [...(sent.snapshot.get(TYPE_URLS.secret)?.resources.keys() ?? [])];
  const fields = { node, names: names.slice(0, NAMED), has };
  logger.error(fields, 'a static Envoy asks for secrets that there are not');
}
