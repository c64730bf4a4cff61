// A discovery request, decoded: what both protocol variants have in common, and how each states
// its subscription. Only the fields that the server reads are decoded
// (protos/countersign/wire.proto).
import { MeshError, toShortText } from '../base/index.js';
import { countersign } from '../gen/wire.js';
import { DEFAULT_SESSION_LIMITS, type SessionLimits } from './limits.js';
import { type Node, toNode } from './node.js';
import { claimBytes, namesBytes } from './wire-size.js';

const { wire } = countersign;

/** Characters of a rejection that are kept: a client may send megabytes. */
const MAX_NACK = 4_096;

/** `sotw`: each response holds all that is asked for. `delta`: only what changed. */
export type Variant = 'sotw' | 'delta';

/** What a request asks for, in the terms of its variant. */
export type Interest =
  | {
      readonly variant: 'sotw';
      /** All names asked for from now on. */
      readonly names: readonly string[];
      /** Version of the last response that the client took, on an earlier stream too. */
      readonly versionInfo: string;
    }
  | {
      readonly variant: 'delta';
      readonly subscribe: readonly string[];
      readonly unsubscribe: readonly string[];
      /** What the client holds from an earlier stream: version by name. */
      readonly initialVersions: ReadonlyMap<string, string>;
    };

export interface Request {
  readonly typeUrl: string;
  /** Of the response that this request answers; empty where it answers none. */
  readonly nonce: string;
  /** Present on a NACK. */
  readonly error?: { readonly code: number; readonly message: string };
  readonly interest: Interest;
  /**
   * Of a stream's first message: its bytes beside the names and versions in it, most of them the
   * node's.
   */
  readonly overheadBytes?: number;
}

export interface DecodedRequest {
  readonly request: Request;
  /** In the first message of a stream; later ones may leave it out and are not asked. */
  readonly node: Node | undefined;
}

export interface DecodeOptions {
  readonly variant: Variant;
  /** What isn't limited is by default. */
  readonly limits?: Partial<SessionLimits>;
  /** Whether to decode the node: only a stream's first request is read for it. */
  readonly withNode: boolean;
  /** A stream of one type: that type, which a request may leave out. */
  readonly typeUrl?: string | undefined;
}

/**
 * Reads DiscoveryRequest or DeltaDiscoveryRequest bytes.
 * Throws MeshError `request-invalid` (not that message, no type) or `resource-limit`.
 */
export function decodeRequest(bytes: Uint8Array, options: DecodeOptions): DecodedRequest {
  const decoded = options.variant === 'sotw' ? decodeSotw(bytes) : decodeDelta(bytes);
  const { node } = decoded;
  const typeUrl = decoded.request.typeUrl || (options.typeUrl ?? '');
  const request = { ...decoded.request, typeUrl };
  checkLimits(request, options.limits);
  const overheadBytes = bytes.length - listedBytes(request.interest);
  return {
    request: options.withNode ? { ...request, overheadBytes } : request,
    node: options.withNode && node ? toNode(node) : undefined,
  };
}

/** Bytes of the names and versions in a request. */
function listedBytes(interest: Interest): number {
  if (interest.variant === 'sotw') return namesBytes(interest.names);
  const { subscribe, unsubscribe, initialVersions } = interest;
  let bytes = namesBytes(subscribe) + namesBytes(unsubscribe);
  for (const [name, version] of initialVersions) bytes += claimBytes({ name, version });
  return bytes;
}

interface Raw {
  readonly request: Request;
  readonly node: countersign.wire.Node | null | undefined;
}

function decodeSotw(bytes: Uint8Array): Raw {
  const message = attempt(() => wire.DiscoveryRequest.decode(bytes));
  const names = message.resourceNames ?? [];
  const interest = { variant: 'sotw', names, versionInfo: message.versionInfo ?? '' } as const;
  return { request: toRequest(message, interest), node: message.node };
}

function decodeDelta(bytes: Uint8Array): Raw {
  const message = attempt(() => wire.DeltaDiscoveryRequest.decode(bytes));
  const interest = {
    variant: 'delta',
    subscribe: message.resourceNamesSubscribe ?? [],
    unsubscribe: message.resourceNamesUnsubscribe ?? [],
    initialVersions: new Map(Object.entries(message.initialResourceVersions ?? {})),
  } as const;
  return { request: toRequest(message, interest), node: message.node };
}

type Common = Pick<countersign.wire.DiscoveryRequest, 'typeUrl' | 'responseNonce' | 'errorDetail'>;

function toRequest(message: Common, interest: Interest): Request {
  const request = { typeUrl: message.typeUrl ?? '', nonce: message.responseNonce ?? '', interest };
  const detail = message.errorDetail;
  if (!detail) return request;
  const said = toShortText(detail.message ?? '', MAX_NACK);
  return { ...request, error: { code: detail.code ?? 0, message: said } };
}

function attempt<T>(decode: () => T): T {
  try {
    return decode();
  } catch (cause) {
    throw new MeshError('request-invalid', 'expected a discovery request but got other bytes', {
      cause,
    });
  }
}

function checkLimits(request: Request, limits: Partial<SessionLimits> = {}): void {
  const { maxNames, maxNameLength } = DEFAULT_SESSION_LIMITS;
  const most = {
    names: limits.maxNames ?? maxNames,
    length: limits.maxNameLength ?? maxNameLength,
  };
  const { interest, typeUrl } = request;
  if (typeUrl === '') {
    throw new MeshError('request-invalid', 'expected a type_url but got an empty one');
  }
  // What is asked for is counted. What a client says that it has, we have sent: the size of a
  // request bounds it (first-request.ts).
  const lists: Iterable<string>[] =
    interest.variant === 'sotw'
      ? [[typeUrl], interest.names]
      : [[typeUrl], interest.subscribe, interest.unsubscribe];
  for (const list of lists) {
    let count = 0;
    for (const text of list) {
      count += 1;
      if (count > most.names) {
        throw new MeshError('resource-limit', `expected at most ${most.names} names a type`);
      }
      if (text.length > most.length) {
        throw new MeshError(
          'resource-limit',
          `expected names of at most ${most.length} characters but got ${text.length}`,
        );
      }
    }
  }
}
