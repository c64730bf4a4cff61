// A change of root, as pure steps from material to material. It has two stages (DESIGN.md
// "Phases"): `trust`: everybody trusts both roots, and the old CA chain signs; `sign`: everybody
// trusts both, the new one signs, and its leaves come with the new root as signed by the old one,
// for clients that know only that. At its end the old root is gone. `until` says how far that goes
// without another word of the operator: prepared, activated or all the way (decision 045). Going
// back is the stage `sign` with the chains in each other's place. When a step is due is not decided
// here.

import { type Clock, MeshError, timesOf } from '../base/index.js';
import { sha256Hex } from '../x509/keys/index.js';
import { isSignedBy } from '../x509/read/index.js';
import {
  type AuthorityMaterial,
  type AuthorityTools,
  type CaChain,
  type ChangeGoal,
  type RetiredIssuer,
  withRetired,
} from './authority-material.js';
import { canCross } from './cross-certificate.js';
import { requireInForce } from './in-force.js';

export type CaStep = 'sign' | 'end' | 'taint' | 'abort';

/**
 * The first stage of a change to another chain; with the root that is in force already only the
 * issuing CA is another, which needs no stages.
 * @throws MeshError request-invalid where a change is under way, or nothing is to be prepared
 */
export function beginChange(
  material: AuthorityMaterial,
  next: CaChain,
  { until, ...tools }: Pick<AuthorityTools, 'clock'> & { readonly until: ChangeGoal },
): AuthorityMaterial {
  const nowMs = tools.clock.now();
  const { current } = material;
  if (material.change !== undefined) {
    throw new MeshError('request-invalid', 'expected no change of root to be under way', {
      variant: 'root-change',
    });
  }
  if (current.root.facts.der.equals(next.root.facts.der)) {
    if (until !== 'end')
      throw new MeshError('request-invalid', NOTHING_NEW, { variant: 'nothing-to-prepare' });
    const rootKeyPem = next.rootKeyPem ?? current.rootKeyPem;
    return {
      ...material,
      current: { ...next, rootKeyPem },
      retired: withRetired(material, current.issuer, timesOf(tools.clock)),
    };
  }
  const hasCross = canCross(current, next, nowMs);
  const times = { sinceMs: nowMs, beganAtMs: nowMs };
  const marks = { until, isBack: false, isTainted: false };
  return { ...material, change: { stage: 'trust', other: next, hasCross, ...times, ...marks } };
}

const NOTHING_NEW =
  'expected a CA with another root but got an issuing CA under the root that is trusted';

/** The second stage: the new chain signs, if that is the root that it was decided for. */
export function signByOther(
  material: AuthorityMaterial,
  { newRootSha256, nowMs }: { readonly newRootSha256: string; readonly nowMs: number },
): AuthorityMaterial {
  const { current, change } = material;
  if (change?.stage !== 'trust') return material;
  if (sha256Hex(change.other.root.facts.der) !== newRootSha256) return material;
  return {
    ...material,
    current: change.other,
    change: { ...change, stage: 'sign', other: current, sinceMs: nowMs },
  };
}

/**
 * The operator's word on the change that is under way: `sign`, `end`: it goes on by itself at least
 * that far; `taint`: the root that goes is bad, and goes by itself; `abort`: back.
 * @throws MeshError request-invalid where there is nothing to go back to; certificate-invalid where
 * the chain of before can't sign any more
 */
export function steerChange(
  material: AuthorityMaterial,
  step: CaStep,
  { clock }: Pick<AuthorityTools, 'clock'>,
): AuthorityMaterial {
  const { change } = material;
  if (step === 'abort') return goBack(material, clock);
  if (change === undefined) return material;
  if (step === 'taint') {
    if (change.isTainted) return material;
    return { ...material, change: { ...change, until: 'end', isTainted: true } };
  }
  if (GOALS.indexOf(change.until) >= GOALS.indexOf(step)) return material;
  return { ...material, change: { ...change, until: step } };
}

const GOALS: readonly ChangeGoal[] = ['trust', 'sign', 'end'];

/**
 * Back to the chain of before. One that has signed nothing is dropped; else the two change places,
 * and the new one goes as an old one does. Whoever trusts the new root trusts the old one too, so
 * that no leaf needs to come with one of them as signed by the other.
 */
function goBack(material: AuthorityMaterial, clock: Clock): AuthorityMaterial {
  const { current, change } = material;
  if (change === undefined)
    throw new MeshError('request-invalid', 'expected an old root to go back to but it is gone', {
      variant: 'change-over',
    });
  if (change.isTainted)
    throw new MeshError('request-invalid', 'expected an old root to go back to but it is bad', {
      variant: 'tainted',
    });
  if (change.isBack) return material;
  if (change.stage === 'trust') return { ...material, change: undefined };
  const { other, beganAtMs } = change;
  requireInForce(other, timesOf(clock));
  const back = { stage: 'sign', until: 'end', isBack: true, isTainted: false } as const;
  const times = { sinceMs: clock.now(), beganAtMs };
  return {
    ...material,
    current: other,
    change: { ...back, other: current, hasCross: false, ...times },
  };
}

/** The end of a change: that root, and what issued below it, is gone. */
export function endChange(
  material: AuthorityMaterial,
  { goingRootSha256 }: { readonly goingRootSha256: string },
): AuthorityMaterial {
  const { change, current } = material;
  if (change?.stage !== 'sign') return material;
  if (sha256Hex(change.other.root.facts.der) !== goingRootSha256) return material;
  const isOfRoot = ({ issuer }: RetiredIssuer): boolean => {
    return isSignedBy(issuer.facts, current.root.facts);
  };
  return { ...material, retired: material.retired.filter(isOfRoot), change: undefined };
}
