// A mesh and what belongs to it: a sidecar that is to keep an older mesh keeps the older marks too,
// or else its connections would end before the rules that end them.
import type { Mesh } from '../../policy/index.js';
import type { AccessMarks } from './access-marks.js';

export interface MeshInForce {
  readonly mesh: Mesh;
  /** Which open connections its edits were to end. */
  readonly marks: AccessMarks;
}
