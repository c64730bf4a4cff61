// What the xDS port's clients cost, and what they may: for `status` and the metrics.
import type { BudgetView, ConnectionsView } from '../join/bounds/index.js';
import type { Family } from './prometheus.js';

export interface LoadView {
  readonly budget: BudgetView;
  readonly connections: ConnectionsView;
}

/** In bytes, and in connections. */
export interface LoadStatus {
  readonly memory: {
    /** Of all sidecars together, beside what all share. */
    readonly used: number;
    readonly limits: {
      readonly all: number;
      readonly service: number;
      readonly credential: number;
      readonly node: number;
    };
    /** Of requests that are not whole yet. */
    readonly incoming: number;
    readonly maxIncoming: number;
    /** Streams that were ended for it since the server started. */
    readonly ended: number;
  };
  readonly connections: {
    readonly open: number;
    /** On which nobody has proved anything. */
    readonly unproved: number;
    readonly limits: {
      readonly all: number;
      readonly address: number;
      readonly unproved: number;
    };
  };
}

export function toLoadStatus({ budget, connections }: LoadView): LoadStatus {
  const { used, incoming, maxIncoming, ended, all, service, credential, node } = budget;
  const { open, unproved, limits } = connections;
  return {
    memory: { used, limits: { all, service, credential, node }, incoming, maxIncoming, ended },
    connections: {
      ...{ open, unproved },
      limits: { all: limits.all, address: limits.ofAddress, unproved: limits.unproved },
    },
  };
}

export function toLoadFamilies({ budget, connections }: LoadView): readonly Family[] {
  const gauge = (name: string, help: string, value: number): Family => {
    return { name, type: 'gauge', help, samples: [{ value }] };
  };
  return [
    gauge('sidecar_memory_bytes', 'What sidecars cost beside what all share.', budget.used),
    gauge('sidecar_memory_limit_bytes', 'What all sidecars may cost together.', budget.all),
    gauge('incoming_bytes', 'Requests that are not whole yet.', budget.incoming),
    gauge('connections', 'Connections of the xDS port.', connections.open),
    gauge(
      'connections_unproved',
      'Connections on which nobody has proved anything.',
      connections.unproved,
    ),
    gauge('connections_limit', 'Connections that there may be.', connections.limits.all),
    {
      name: 'streams_ended_total',
      type: 'counter',
      help: 'Streams that were ended for what they cost.',
      samples: [{ value: budget.ended }],
    },
  ];
}
