// What a stream's owner does with it, as events of its session.
import type { Effect, SessionEvent } from '../xds/index.js';
import type { DiscoveryStream } from './handle.js';

export type Steering = Pick<
  DiscoveryStream<never>,
  'setSnapshot' | 'checkSnapshot' | 'retry' | 'defer'
>;

/** `step` takes an event; what it led to. */
export function toSteering(step: (event: SessionEvent) => readonly Effect[]): Steering {
  const stepOrThrow = (event: SessionEvent): void => {
    for (const effect of step(event)) if (effect.kind === 'refused') throw effect.error;
  };
  return {
    setSnapshot: (snapshot) => stepOrThrow({ kind: 'snapshot', snapshot }),
    checkSnapshot: (snapshot) => stepOrThrow({ kind: 'check', snapshot }),
    retry: (rejected) => void step({ kind: 'retry', ...rejected }),
    defer: ({ typeUrl, name }) => {
      step({ kind: 'await', typeUrl, names: [name] });
      return () => void step({ kind: 'answer', typeUrl, names: [name] });
    },
  };
}
