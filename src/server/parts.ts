import type { Clock, Logger } from '../base/index.js';
import type { OrderDesk } from '../data/orders/index.js';
import type { SidecarSite } from './addresses/index.js';
import type { CaChange } from './ca/index.js';
import type { Control } from './control.js';
import type { Budgets, Connections } from './join/bounds/index.js';
import type { Refusals } from './join/index.js';
import type { State } from './state.js';
import type { HorizonWatch } from './status/index.js';

/** What the two ports serve from. */
export interface Parts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly state: State;
  readonly control: Control;
  readonly horizon: HorizonWatch;
  /** Undefined where the CA is an outside one. */
  readonly caChange: CaChange | undefined;
  readonly refusals: Refusals;
  readonly site: SidecarSite;
  /** What bounds the xDS port's clients. */
  readonly guards: { readonly budgets: Budgets; readonly connections: Connections };
  readonly orders: Pick<OrderDesk, 'strays'>;
}
