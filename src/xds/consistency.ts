// Whether a snapshot is whole: each name that a resource refers to is there. The core doesn't read
// bytes, so only what a resource's `references` say is checked.
import type { Resource, ResourceRef, Snapshot } from './resource.js';

export interface Dangling {
  /** Where the reference is. */
  readonly from: ResourceRef;
  /** What it names and the snapshot lacks. */
  readonly to: ResourceRef;
  /** Where the user wrote what refers to it. */
  readonly source?: Resource['source'];
}

/** The references of a snapshot that lead nowhere, in the snapshot's order. */
export function findDangling(snapshot: Snapshot): readonly Dangling[] {
  const found: Dangling[] = [];
  for (const [typeUrl, { resources }] of snapshot) {
    for (const { name, references = [], source } of resources.values()) {
      for (const to of references) {
        if (snapshot.get(to.typeUrl)?.resources.has(to.name)) continue;
        found.push({ from: { typeUrl, name }, to, ...(source !== undefined && { source }) });
      }
    }
  }
  return found;
}
