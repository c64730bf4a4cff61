// What commands may order of the running server, each kind with what carries it out.
import type { Clock, Closers, Logger, Random } from '../base/index.js';
import { adoptCaFiles } from '../ca/change/index.js';
import { createOrderStore, OrderDesk } from '../data/orders/index.js';
import { adoptRenewalFiles } from '../leaves/index.js';
import { TAKE_REVOCATIONS } from '../revocation/index.js';
import { TAKE_TOKEN_KEYS } from '../tokens/index.js';
import { type CaChange, takeCaOrders, takeRenewalOrders } from './ca/index.js';
import type { Control } from './control.js';
import { takeDrainOrders } from './fleet/index.js';
import { takeRolloutOrders } from './mesh/index.js';
import type { State } from './state.js';

export interface OrdersOptions {
  readonly state: State;
  readonly control: Control;
  /** Undefined where the CA is an outside one. */
  readonly caChange: CaChange | undefined;
  /** Opens a CA that a command offers. */
  readonly caPassphrase: string | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Random;
}

/** Takes orders whenever the data folder is looked at, or what they wait for may have come. */
export async function takeOrders(options: OrdersOptions, closers: Closers): Promise<OrderDesk> {
  const { state, control, caChange, clock, logger, random } = options;
  const { dataDir, dataWatch, leaves, registry, staticEnvoys, revocations, tokens } = state;
  const { ownAuthority } = state;
  const store = createOrderStore(dataDir);
  const desk = new OrderDesk({ store, clock, logger });
  if (ownAuthority !== undefined && caChange !== undefined) {
    takeCaOrders(desk, {
      ...{ authority: ownAuthority, caChange, clock, passphrase: options.caPassphrase },
      hold: () => state.clock.hold,
    });
  }
  takeRenewalOrders(desk, {
    ...{ leaves, logger },
    nodes: () => control.members.view().map(({ stream }) => stream.auth),
    missing: () => [...registry.missing(), ...staticEnvoys.missing()],
  });
  takeDrainOrders(desk, {
    ...{ drains: control.drains, members: control.members, registry },
    mesh: () => control.rollout.inForce.value,
  });
  takeRolloutOrders(desk, { rollout: control.rollout, source: state.source, logger });
  desk.register(TAKE_REVOCATIONS, async () => {
    await revocations.check();
    return { state: 'done', report: { proxies: control.members.view().length } };
  });
  desk.register(TAKE_TOKEN_KEYS, async () => {
    if (await tokens.reload()) logger.info({}, 'the token keys changed');
    const { signing, verifying } = tokens.ids();
    return { state: 'done', report: { signing, verifying: [...verifying] } };
  });
  for (const adopt of [adoptCaFiles, adoptRenewalFiles]) {
    await adopt(dataDir, { store, clock, random }).catch((err: unknown) => {
      logger.error({ err }, 'orders that an earlier version left could not be taken over');
    });
  }
  dataWatch.onChange(() => desk.look());
  closers.defer(control.pacing.changes.add(() => desk.nudge()));
  closers.defer(() => desk.stop());
  return desk;
}
