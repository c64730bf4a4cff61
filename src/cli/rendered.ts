// What `render` shows: the resources that a sidecar of one service is sent, in ProtoJSON with
// `@type`. It doesn't ask a server, so it has no endpoints of connected sidecars, and only the
// names of secrets.
import { toPlace } from '../base/index.js';
import type { Mesh, Service } from '../policy/index.js';
import { assignIndexes, type Outbound, toCalleeAddress } from '../server/addresses/index.js';
import {
  ANCHORS_SECRET,
  DISCOVERY_TYPES,
  IDENTITY_SECRET,
  type Listen,
  NOTHING_REVOKED,
  toCallers,
  toCapturedOutbound,
  translateNode,
  translateService,
} from '../translate/index.js';
import { type ResourceSet, TYPE_URLS } from '../xds/index.js';
import { refuseClashes } from './outbound-option.js';
import { type Json, toProtoJson } from './proto-json.js';

/** By the names that `--type` takes, in the order in which they are shown. */
export const RENDERED_TYPES = DISCOVERY_TYPES;

export type RenderedType = keyof typeof RENDERED_TYPES;

export interface Rendered {
  readonly type: RenderedType;
  /** Says for people where the resource comes from. */
  readonly comment: string;
  readonly resource: { readonly [name: string]: Json };
}

export interface RenderOptions {
  readonly mesh: Mesh;
  readonly service: Service;
  /** The sidecar's own address. */
  readonly address: string;
  readonly listen: Listen;
  readonly outbound: Outbound;
  readonly types: readonly RenderedType[];
}

const REDACTED = '[redacted]';

/**
 * @throws MeshError resource-limit if the outbound prefix is too small for the mesh, usage where a
 * list gives two callees one place
 */
export function render(options: RenderOptions): Rendered[] {
  const { mesh, service, address, listen, outbound, types } = options;
  const indexes = assignIndexes({}, mesh.services.values());
  const registry = new Map();
  const shared = translateService({ mesh, service, registry });
  const { listeners, clashes } = translateNode({
    mesh,
    service,
    address,
    listen,
    outboundAddress: (callee) =>
      toCalleeAddress(outbound, { callee, index: indexes[callee.name] ?? 0 }),
    capturedOutbound: toCapturedOutbound({ mesh, service, registry, revoked: NOTHING_REVOKED }),
  });
  refuseClashes(clashes);
  const sets = new Map([...shared, [TYPE_URLS.listener, listeners]]);
  return types.flatMap((type) =>
    type === 'sds'
      ? toSecretStandIns(mesh, service)
      : toRendered(type, sets.get(RENDERED_TYPES[type])),
  );
}

function toRendered(type: RenderedType, set: ResourceSet | undefined): Rendered[] {
  const typeUrl = RENDERED_TYPES[type];
  const messageName = typeUrl.slice(typeUrl.indexOf('/') + 1);
  return [...(set?.resources.values() ?? [])].map(({ value, source }) => ({
    type,
    comment: source === undefined ? type : `${type}, from ${toPlace(source)}`,
    resource: { '@type': typeUrl, ...toProtoJson(messageName, value) },
  }));
}

/** The running server fills these in for each sidecar. Nothing ever shows private keys. */
function toSecretStandIns(mesh: Mesh, service: Service): Rendered[] {
  const redacted = { inline_string: REDACTED };
  const identity = { certificate_chain: redacted, private_key: redacted };
  return [
    {
      type: 'sds',
      comment: `sds, the certificate of ${service.spiffeId}: issued when the sidecar connects`,
      resource: {
        '@type': TYPE_URLS.secret,
        name: IDENTITY_SECRET,
        tls_certificate: identity,
      },
    },
    {
      type: 'sds',
      comment: 'sds, the trust anchors: see `countersign ca bundle`',
      resource: {
        '@type': TYPE_URLS.secret,
        name: ANCHORS_SECRET,
        validation_context: { trusted_ca: redacted },
      },
    },
    ...toCallers({ mesh, service, deniedIds: [] }).map(
      ({ secretName, names }): Rendered => ({
        type: 'sds',
        comment: 'sds, the trust anchors, and who may connect to that tcp port',
        resource: {
          '@type': TYPE_URLS.secret,
          name: secretName,
          validation_context: {
            trusted_ca: redacted,
            match_typed_subject_alt_names: names.map(({ text, prefix }) => ({
              san_type: 'URI',
              matcher: prefix ? { prefix: text } : { exact: text },
            })),
          },
        },
      }),
    ),
  ];
}
