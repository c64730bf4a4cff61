// Whether resources have to do with each other: one refers to the other, by what their `references`
// say, over as many steps as it takes. Where nothing is said, what might be is taken for true.
import type { Resource, ResourceRef, Snapshot } from './resource.js';
import { TYPE_URLS, traitsOf } from './type-urls.js';

/** Resources of one type. */
export interface Group {
  readonly typeUrl: string;
  readonly resources: readonly Resource[];
}

/** Names of one type. */
interface Target {
  readonly typeUrl: string;
  readonly names: ReadonlySet<string>;
}

/** Whether a resource of `sent` may refer to one of `others`, or one of `others` to one of it. */
export function isRelated(snapshot: Snapshot | undefined, sent: Group, others: Group): boolean {
  // An answer without resources: that there are none may be what somebody waits for.
  if (sent.resources.length === 0) return true;
  return reaches(snapshot, sent, toTarget(others)) || reaches(snapshot, others, toTarget(sent));
}

function toTarget({ typeUrl, resources }: Group): Target {
  return { typeUrl, names: new Set(resources.map(({ name }) => name)) };
}

function reaches(snapshot: Snapshot | undefined, from: Group, target: Target): boolean {
  if (!leadsTo(from.typeUrl, target.typeUrl)) return false;
  return from.resources.some((resource) => {
    const { references } = resource;
    if (references === undefined && from.typeUrl !== TYPE_URLS.cluster) return true;
    if (references === undefined && target.typeUrl !== TYPE_URLS.endpoint) return true;
    const found = [...(references ?? []), ...impliedBy(from.typeUrl, resource)];
    return found.some(({ typeUrl, name }) => {
      if (typeUrl === target.typeUrl && target.names.has(name)) return true;
      const next = snapshot?.get(typeUrl)?.resources.get(name);
      return next !== undefined && reaches(snapshot, { typeUrl, resources: [next] }, target);
    });
  });
}

/** A cluster that names no endpoints has those of its own name, if any. */
function impliedBy(typeUrl: string, { name, references = [] }: Resource): readonly ResourceRef[] {
  const { cluster, endpoint } = TYPE_URLS;
  const isNamed = references.some((reference) => reference.typeUrl === endpoint);
  return typeUrl !== cluster || isNamed ? [] : [{ typeUrl: endpoint, name }];
}

/** Whether a resource of that type can refer to one of the other, over any number of steps. */
function leadsTo(typeUrl: string, target: string): boolean {
  return traitsOf(typeUrl).uses.some((used) => used === target || leadsTo(used, target));
}
