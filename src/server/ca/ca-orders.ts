// The orders about the authority, each carried out at most once: where what is wanted is so
// already, that is only said.
import { type Clock, MeshError } from '../../base/index.js';
import {
  type CaProgress,
  FINISH_CA,
  openOffer,
  type RootPoint,
  STEER_CA,
  TAKE_CA,
  WATCH_ROOT,
} from '../../ca/change/index.js';
import type { CaStep, LocalAuthority } from '../../ca/index.js';
import type { Answered, Order, OrderDesk, PayloadOf } from '../../data/orders/index.js';
import { sha256Hex } from '../../x509/keys/index.js';
import { splitPem } from '../../x509/read/index.js';
import type { CaChange } from './ca-change.js';

export interface CaOrdersOptions {
  readonly authority: LocalAuthority;
  readonly caChange: CaChange;
  readonly clock: Clock;
  /** Opens what a command offers. */
  readonly passphrase: string | undefined;
  /** Why nothing is begun now that can't be taken back, in words; undefined: it may be. */
  readonly hold?: () => string | undefined;
}

/** Takes the orders about the authority from now on. */
export function takeCaOrders(desk: OrderDesk, options: CaOrdersOptions): void {
  desk.register(TAKE_CA, (order) => takeOver(order, options));
  desk.register(FINISH_CA, (order) => finish(order, options));
  desk.register(STEER_CA, (order) => steer(order, options));
  desk.register(WATCH_ROOT, (order) => watch(order, options));
}

/** Done where that CA was taken over already: it is in `authority.json` since. */
async function takeOver(
  { payload }: Order<PayloadOf<typeof TAKE_CA>>,
  { authority, caChange, clock, passphrase, hold }: CaOrdersOptions,
): Promise<Answered<CaProgress>> {
  const { trustDomain } = authority;
  const { until = 'end', ...offered } = payload;
  const chain = openOffer(offered, { passphrase, trustDomain, nowMs: clock.now() });
  if (!authority.has(chain)) {
    const held = hold?.();
    if (held !== undefined) return { state: 'waiting', report: { waitingFor: [held] } };
    if (authority.change !== undefined) {
      return { state: 'waiting', report: { waitingFor: ['the end of another change of root'] } };
    }
    await caChange.take(chain, until);
  }
  await caChange.advance();
  return { state: 'done', report: caChange.progress };
}

/** Done where the root is gone. */
async function finish(
  { payload: { rootSha256 } }: Order<{ rootSha256: string }>,
  { authority, caChange }: CaOrdersOptions,
): Promise<Answered<CaProgress>> {
  const isGone = (): boolean => authority.change?.goingRootSha256 !== rootSha256;
  if (!isGone()) await caChange.finish(rootSha256);
  return { state: isGone() ? 'done' : 'waiting', report: caChange.progress };
}

/** Done where the change has gone that way already. */
async function steer(
  { payload: { rootSha256, step } }: Order<PayloadOf<typeof STEER_CA>>,
  { authority, caChange }: CaOrdersOptions,
): Promise<Answered<CaProgress>> {
  if (!isOver({ authority, rootSha256, step })) {
    assertFits(authority, step);
    await caChange.steer(step);
  }
  return { state: 'done', report: caChange.progress };
}

/** @throws MeshError request-invalid where the change is another one, or can't be taken back */
function isOver(options: {
  readonly authority: LocalAuthority;
  readonly rootSha256: string;
  readonly step: CaStep;
}): boolean {
  const { authority, rootSha256, step } = options;
  if (authority.change?.newRootSha256 === rootSha256) return false;
  const isAlone = toRoots(authority).join() === rootSha256;
  const isBack = step === 'abort';
  // Forward: that root stands alone. Back: nobody trusts it any more.
  if (isBack ? !toRoots(authority).includes(rootSha256) : isAlone) return true;
  if (!isBack || !isAlone) throw otherRoot('that change of root to be under way but it is not');
  return false;
}

/** @throws MeshError request-invalid */
function assertFits({ change }: LocalAuthority, step: CaStep): void {
  if (change === undefined || step === 'abort') return;
  if (change.isBack) {
    const message = 'expected a change of root that goes on but it was taken back';
    throw new MeshError('request-invalid', message, { variant: 'going-back' });
  }
  if (step !== 'taint' || change.stage === 'sign' || change.until !== 'trust') return;
  const message = 'expected a new root that signs but it is only prepared';
  throw new MeshError('request-invalid', message, { variant: 'not-activated' });
}

/** Done where the root is at that point. */
async function watch(
  { payload: { rootSha256, point } }: Order<PayloadOf<typeof WATCH_ROOT>>,
  { authority, caChange }: CaOrdersOptions,
): Promise<Answered<CaProgress>> {
  await caChange.advance();
  const report = caChange.progress;
  const roots = toRoots(authority);
  if (isThere({ authority, rootSha256, point, report })) return { state: 'done', report };
  const isUnderWay = authority.change !== undefined && roots.includes(rootSha256);
  if (isUnderWay || (point === 'alone' && authority.change !== undefined)) {
    return { state: 'waiting', report };
  }
  throw otherRoot('that root to stand alone but another does');
}

function isThere(options: {
  readonly authority: LocalAuthority;
  readonly rootSha256: string;
  readonly point: RootPoint;
  readonly report: CaProgress;
}): boolean {
  const { authority, rootSha256, point, report } = options;
  const { change } = authority;
  const roots = toRoots(authority);
  if (point === 'gone') return !roots.includes(rootSha256);
  if (change === undefined) return roots[0] === rootSha256;
  if (point === 'alone' || !roots.includes(rootSha256)) return false;
  const isSettled = (report.nodes ?? []).length === 0;
  // The one that signs stands first.
  if (roots[0] === rootSha256) return point === 'trusted' || isSettled;
  return point === 'trusted' && isSettled;
}

function toRoots({ trustAnchorsPem }: LocalAuthority): readonly string[] {
  return splitPem(trustAnchorsPem).map((der) => sha256Hex(der));
}

function otherRoot(expected: string): MeshError {
  return new MeshError('request-invalid', `expected ${expected}`, { variant: 'other-root' });
}
