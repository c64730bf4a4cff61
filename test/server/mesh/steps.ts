// The steps of one port, as edits plan them.
import type { Mesh } from '../../../src/policy/index.js';
import { toPublished } from '../../../src/server/mesh/published.js';
import type { PortStep, Track } from '../../../src/server/mesh/track.js';
import { edit, openTracks, settledTracks, type Tracks } from '../../../src/server/mesh/tracks.js';

/** After these edits of a mesh that was wholly in force, of which no sidecar has said a word. */
export function afterEdits(before: Mesh, ...edits: readonly Mesh[]): Tracks {
  const state = openTracks(settledTracks(before));
  return edits.reduce((now, mesh, index) => edit(now, mesh, index), state);
}

export function stepsOf(state: Tracks, id = 'ledger:8080'): readonly PortStep[] {
  const track = state.tracks.get(id);
  return track?.kind === 'port' ? track.steps : [];
}

/** The mesh that is published while each of the steps is in force. */
export function meshesOf(state: Tracks, id = 'ledger:8080'): readonly Mesh[] {
  const track = state.tracks.get(id);
  if (track?.kind !== 'port') return [state.published];
  return track.steps.map((_, index) => {
    const then: Track = { ...track, steps: track.steps.slice(index) };
    return toPublished(state.wanted, [...state.tracks.values(), then]);
  });
}
