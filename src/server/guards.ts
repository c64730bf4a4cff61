// What bounds the xDS port's clients, whoever they are: budgets of memory and places for
// connections.
import { getHeapStatistics } from 'node:v8';
import type { Closers, MeshError } from '../base/index.js';
import { hintOf } from '../terminal/index.js';
import { Budgets, Connections, readConnectionLimits } from './join/bounds/index.js';
import { createRefusalLog } from './join/index.js';
import type { Parts } from './parts.js';

export interface GuardsOptions {
  /** Connections that one address may have. */
  readonly ofAddress: number;
}

export function openGuards(
  { state, control, clock, logger, refusals }: Omit<Parts, 'guards'>,
  { ofAddress }: GuardsOptions,
  closers: Closers,
): Parts['guards'] {
  const { members } = control;
  const refusalLog = createRefusalLog(logger, clock);
  const refuse = (peer: string, error: MeshError): void => {
    refusals.note({ peer }, error);
    const fields = { peer, reason: error.message, hint: hintOf(error) };
    refusalLog.warn(fields, 'a client takes too much');
  };
  const connections = new Connections({
    clock,
    limits: readConnectionLimits(ofAddress),
    known: state.roster.gone().map(({ address }) => address),
    onRefusal: refuse,
  });
  members.joined.add(({ auth, peerAddress }) => {
    connections.noteSidecar(peerAddress);
    connections.noteSidecar(auth.address);
  });
  connections.start();
  closers.defer(() => connections.stop());
  const budgets = new Budgets({
    heapBytes: getHeapStatistics().heap_size_limit,
    onEnded: (refused) => members.refused.notify(refused),
    onRefused: refuse,
  });
  return { budgets, connections };
}
