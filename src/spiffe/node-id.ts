// A node is one instance of a service; its id is `service~instance`. The id is composed, split and
// judged here alone, so that every door has the same grammar: what may join can be revoked, renewed
// and given a token of its own.
import { MeshError } from '../base/index.js';

/**
 * `payments/ledger~10.0.0.3`. The type holds the form, so that no other text is taken for an id;
 * make one by `toNodeId`.
 */
export type NodeId = `${string}~${string}`;

export interface NodeIdParts {
  readonly service: string;
  readonly instance: string;
}

const SEPARATOR = '~';
/**
 * Every spelling of an IP address is one too: an instance that has no name is called by its
 * address. None begins as an option does on the command line.
 */
const INSTANCE = /^[A-Za-z0-9:][A-Za-z0-9._:-]{0,127}$/;

/** What an instance's name is, for messages. */
export const INSTANCE_RULE =
  'a name of at most 128 letters, digits, dots, dashes, colons and underscores';

/** The text where it can be an instance's name. */
export function tryInstance(text: string): string | undefined {
  return INSTANCE.test(text) ? text : undefined;
}

/** @throws MeshError identity-invalid where `instance` can't be one. */
export function toNodeId({ service, instance }: NodeIdParts): NodeId {
  if (tryInstance(instance) !== undefined) return `${service}${SEPARATOR}${instance}`;
  const message = `expected an instance of "${service}" to be ${INSTANCE_RULE}`;
  throw new MeshError('identity-invalid', `${message} but got ${JSON.stringify(instance)}`);
}

export function splitNodeId(node: NodeId): NodeIdParts {
  const { service, instance = '' } = splitNodeText(node);
  return { service, instance };
}

/** What an Envoy says in `node.id`, unjudged: a service, or a service and an instance. */
export function splitNodeText(text: string): {
  readonly service: string;
  readonly instance: string | undefined;
} {
  const end = text.indexOf(SEPARATOR);
  if (end === -1) return { service: text, instance: undefined };
  return { service: text.slice(0, end), instance: text.slice(end + SEPARATOR.length) };
}

/** Whether a text has the form of a node id. */
export function isNodeId(text: string): text is NodeId {
  return text.includes(SEPARATOR);
}
