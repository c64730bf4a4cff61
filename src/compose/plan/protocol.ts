// The protocol of a port. `http` only where something says so: bytes that pass untouched (`tcp`)
// work for every application, and an HTTP proxy in front of something else breaks it.
import type { ComposeService } from '../project/index.js';
import { knownImageOf } from './known-images.js';
import { type Mention, mentionedPort } from './mentions.js';
import type { PlannedProtocol } from './mesh-plan.js';
import type { PortHint } from './own-ports.js';
import { isTlsPort, knownScheme, protocolOfNumber } from './port-numbers.js';
import { shortName } from './texts.js';

export interface ProtocolGuess {
  readonly protocol: PlannedProtocol;
  readonly evidence: string;
}

interface ProtocolContext {
  readonly mentions: readonly Mention[];
  readonly hints: readonly PortHint[];
}

export function guessProtocol(
  number: number,
  service: ComposeService,
  { mentions, hints }: ProtocolContext,
): ProtocolGuess {
  const image = knownImageOf(service);
  const usual = image?.ports.find((port) => port.number === number);
  const bySchemes = fromSchemes(number, mentions);
  const isTls =
    isTlsPort(number) ||
    hints.some((hint) => {
      return hint.number === number && hint.protocol === 'tcp';
    });
  if (isTls && usual === undefined)
    return { protocol: 'tcp', evidence: 'TLS of its own is usual there' };
  if (bySchemes !== undefined && bySchemes.protocol !== 'http') return bySchemes;
  if (usual !== undefined && image !== undefined) {
    return { protocol: usual.protocol, evidence: `image ${shortName(image.name)}` };
  }
  const isGrpc = mentions.some((mention) => mention.isGrpc && mentionedPort(mention) === number);
  if (bySchemes !== undefined) {
    const isDoubt = isGrpc || protocolOfNumber(number) === 'grpc';
    return isDoubt ? { protocol: 'tcp', evidence: 'perhaps gRPC' } : bySchemes;
  }
  const hint = hints.find((one) => one.number === number && one.protocol !== undefined);
  if (hint?.protocol !== undefined) return { protocol: hint.protocol, evidence: hint.evidence };
  return fromNumber(number, service, isGrpc);
}

/** What the URLs of callers say; `tcp` where they disagree. */
function fromSchemes(number: number, mentions: readonly Mention[]): ProtocolGuess | undefined {
  const found = mentions.flatMap((mention) => {
    const scheme = mention.scheme === undefined ? undefined : knownScheme(mention.scheme);
    if (scheme === undefined || mentionedPort(mention) !== number) return [];
    return { protocol: scheme.protocol, evidence: mention.evidence };
  });
  const [first] = found;
  if (first === undefined) return undefined;
  const isAgreed = found.every(({ protocol }) => protocol === first.protocol);
  return isAgreed ? first : { protocol: 'tcp', evidence: 'its callers use several protocols' };
}

/** Conventions, for what isn't known to be something else. */
function fromNumber(number: number, service: ComposeService, isGrpc: boolean): ProtocolGuess {
  const protocol = protocolOfNumber(number);
  const evidence = 'by the number of the port';
  if (protocol === 'grpc') return { protocol, evidence };
  const main = knownImageOf(service)?.ports[0]?.protocol ?? 'http';
  const isKnownOtherwise = main !== 'http';
  const doubt = isGrpc || speaksGrpc(service);
  if (protocol === undefined || isKnownOtherwise || doubt) {
    const why = doubt ? 'perhaps gRPC' : 'nothing says that it is HTTP';
    return { protocol: 'tcp', evidence: why };
  }
  return { protocol, evidence };
}

/** Something in its own settings is about gRPC: its ports may speak it. */
function speaksGrpc({ name, image, environment, command, entrypoint }: ComposeService): boolean {
  const words = [
    name,
    image ?? '',
    ...environment.keys(),
    ...(command ?? []),
    ...(entrypoint ?? []),
  ];
  return words.some((word) => /grpc/i.test(word));
}
