// What the log says of a stream that comes, goes or answers.
import { type Logger, toPlace } from '../../base/index.js';
import type { StreamUpdate } from '../../grpc/index.js';
import { TYPE_URLS } from '../../xds/index.js';
import { describeCredential } from '../join/index.js';
import { judgeRejection } from './bind-failure.js';
import type { SidecarStream } from './sidecar-stream.js';

export function logConnected(logger: Pick<Logger, 'info'>, stream: SidecarStream): void {
  const userAgent = `${stream.node.userAgentName} ${stream.node.userAgentVersion}`.trim();
  const { node, address, addressProof, credential: shown } = stream.auth;
  const credential = describeCredential(shown);
  const { variant } = stream;
  const fields = { node, address, addressProof, variant, userAgent, credential };
  logger.info(fields, `${toNoun(stream)} connected`);
}

export function logDisconnected(logger: Pick<Logger, 'info'>, stream: SidecarStream): void {
  logger.info({ node: stream.auth.node }, `${toNoun(stream)} disconnected`);
}

function toNoun({ auth }: SidecarStream): string {
  return auth.isStatic ? 'static Envoy' : 'sidecar';
}

export function logNack(
  logger: Logger,
  stream: SidecarStream,
  { rejection, typeUrl }: StreamUpdate & { kind: 'nacked' },
): void {
  // What is at fault is still being looked for: the last rejection names it.
  if (rejection.searching === true) return;
  // Those have words of their own, and are tried again and again (bind-retries.ts).
  if (typeUrl === TYPE_URLS.listener && !judgeRejection(rejection).isOther) return;
  const sources = rejection.resources.flatMap(({ source }) =>
    source === undefined ? [] : [toPlace(source)],
  );
  const resources = rejection.resources.map(({ name }) => name);
  const fields = { node: stream.auth.node, typeUrl, resources, sources };
  logger.error({ ...fields, reason: rejection.message }, 'a sidecar rejected its configuration');
}
