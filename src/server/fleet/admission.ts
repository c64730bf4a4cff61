// Who of those that proved themselves is let in. A sidecar whose address another one has is kept
// waiting on its open stream, and is let in as soon as the address is free: ended, it would come
// back only after a pause of up to 30 s (Envoy's). Both parties are told to the operator for as
// long as it lasts.
import { type Cancel, type Clock, type Logger, MeshError, MINUTE_MS } from '../../base/index.js';
import { findService, type Mesh } from '../../policy/index.js';
import type { Request } from '../../xds/index.js';
import type { Sidecar } from '../join/index.js';
import { type SidecarKey, toKey } from './held-table.js';
import { DEFAULT_INSTANCE_LIMITS, type InstanceLimits } from './instance-limits.js';
import type { Members } from './members.js';
import { Places } from './places.js';
import type { RegistryEntry, SidecarRegistry } from './registry.js';
import { type SidecarStream, toMeshError } from './sidecar-stream.js';
import type { StaticEnvoys } from './static-envoys.js';

export interface AdmissionOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly members: Members;
  readonly registry: SidecarRegistry;
  readonly staticEnvoys: Pick<StaticEnvoys, 'open'>;
  readonly mesh: () => Mesh;
  readonly maxInstances?: InstanceLimits | undefined;
  /** @throws MeshError where this sidecar is shut out. */
  readonly assertAdmitted: (sidecar: Sidecar) => void;
  /** @param first Its first request, where that came while it was kept waiting. */
  readonly onAdmitted: (stream: SidecarStream, first: Request | undefined) => void;
}

/** That one is kept out is counted again this often. */
export const REMIND_AFTER_MS = MINUTE_MS;
/** So many are kept waiting; others are refused, and come back by themselves. */
export const MAX_WAITING = 1_000;

interface Waiting {
  first: Request | undefined;
  cancelReminder: Cancel;
}

export class Admission {
  readonly #options: AdmissionOptions;
  /** In the order in which they came. */
  readonly #waiting = new Map<SidecarStream, Waiting>();
  readonly #places: Places;
  #cancelLook: Cancel | undefined;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#places = new Places(options.maxInstances ?? DEFAULT_INSTANCE_LIMITS);
    options.registry.freed.add(() => this.#lookSoon());
  }

  /** It has proved who it is. */
  connect(stream: SidecarStream): void {
    // Once more: it may have been shut out since it was authenticated.
    const refusal = this.#refusalOf(stream.auth);
    if (refusal !== undefined) {
      this.#refuse(stream, refusal);
      return;
    }
    try {
      this.#enter(stream);
    } catch (error) {
      const holder = isConflict(error) ? this.#holderOf(stream) : undefined;
      const mayWait = holder !== undefined && this.#waiting.size < MAX_WAITING;
      if (mayWait) this.#keepWaiting(stream, error);
      else this.#refuse(stream, error, holder);
      return;
    }
    this.#options.onAdmitted(stream, undefined);
  }

  noteRequest(stream: SidecarStream, request: Request): void {
    const waiting = this.#waiting.get(stream);
    if (waiting !== undefined) waiting.first ??= request;
  }

  /** A stream that was let in is gone. */
  left(stream: SidecarStream): void {
    this.#places.free(stream.auth);
  }

  /** A stream that waits is gone, or waits no longer. */
  forget(stream: SidecarStream): void {
    const waiting = this.#waiting.get(stream);
    if (waiting === undefined) return;
    waiting.cancelReminder();
    this.#waiting.delete(stream);
    this.#options.members.letIn(stream);
    this.#options.members.changes.notify();
  }

  /** Ends the streams of those that are shut out. */
  shutOut(): void {
    for (const stream of [...this.#waiting.keys()]) {
      const refusal = this.#refusalOf(stream.auth);
      if (refusal !== undefined) this.#refuse(stream, refusal);
    }
  }

  /** Services may have their first port now, or none any more. */
  meshChanged(): void {
    const { members, registry } = this.#options;
    for (const { stream } of members) {
      if (stream.auth.isStatic) continue;
      try {
        const displaced = registry.serve(toEntry(stream), this.#serves(stream));
        for (const sidecar of displaced) this.#displace(sidecar, stream.auth);
      } catch (error) {
        // It comes back by itself, and waits.
        const holder = this.#holderOf(stream);
        registry.evict((entry) => toKey(entry) === toKey(stream.auth));
        this.#refuse(stream, error, holder);
      }
    }
    this.#lookSoon();
  }

  #serves({ auth }: SidecarStream): boolean {
    return (findService(this.#options.mesh(), auth.service)?.ports.length ?? 0) > 0;
  }

  /** An address may be free, or need not be anybody's. */
  #lookSoon(): void {
    if (this.#waiting.size === 0) return;
    this.#cancelLook ??= this.#options.clock.after(0, () => this.#look());
  }

  #look(): void {
    this.#cancelLook = undefined;
    for (const [stream, { first }] of [...this.#waiting]) {
      try {
        this.#enter(stream);
      } catch {
        this.#options.members.keepOut(stream, this.#holderOf(stream));
        continue;
      }
      this.forget(stream);
      this.#options.onAdmitted(stream, first);
    }
  }

  /** @throws MeshError address-in-use, instance-limit */
  #enter(stream: SidecarStream): void {
    const { registry, staticEnvoys } = this.#options;
    this.#places.assertRoom(stream.auth);
    // It owns no address, so that nobody can be in its way.
    if (stream.auth.isStatic) staticEnvoys.open(stream);
    const displaced = stream.auth.isStatic
      ? []
      : registry.open(toEntry(stream), this.#serves(stream));
    this.#places.take(stream.auth);
    for (const sidecar of displaced) this.#displace(sidecar, stream.auth);
  }

  /** Its address belongs to one that proves it better, or was there before. */
  #displace(sidecar: SidecarKey, by: Sidecar): void {
    const { members, logger } = this.#options;
    const key = toKey(sidecar);
    logger.warn({ ...sidecar, by: by.node }, 'a sidecar loses its address to another');
    const message = `address ${by.address} is another sidecar's, which proves it`;
    const error = new MeshError('address-in-use', message, { variant: 'proved' });
    for (const { stream } of members) {
      if (toKey(stream.auth) !== key) continue;
      members.refused.notify({ stream, error, holder: by.node });
      stream.close(error);
    }
  }

  #keepWaiting(stream: SidecarStream, error: unknown): void {
    const { clock, members, logger } = this.#options;
    const { node, address } = stream.auth;
    const holder = this.#holderOf(stream);
    logger.warn({ node, address, holder, err: error }, 'a sidecar waits for its address');
    const waiting: Waiting = { first: undefined, cancelReminder: () => undefined };
    const remind = (): void => {
      members.refused.notify({ stream, error, holder: this.#holderOf(stream) });
      waiting.cancelReminder = clock.after(REMIND_AFTER_MS, remind);
    };
    this.#waiting.set(stream, waiting);
    members.keepOut(stream, holder);
    remind();
    members.changes.notify();
  }

  #refuse(stream: SidecarStream, error: unknown, holder?: string): void {
    const { logger, members } = this.#options;
    const { node, address } = stream.auth;
    this.forget(stream);
    logger.warn({ node, address, holder, err: error }, 'sidecar refused');
    members.refused.notify({ stream, error, holder });
    stream.close(toMeshError(error));
  }

  #holderOf(stream: SidecarStream): string | undefined {
    return this.#options.registry.holderOf(toEntry(stream));
  }

  /** Why the sidecar is shut out; undefined where it isn't. */
  #refusalOf(sidecar: Sidecar): unknown {
    try {
      this.#options.assertAdmitted(sidecar);
      return undefined;
    } catch (error) {
      return error;
    }
  }
}

function isConflict(error: unknown): boolean {
  return error instanceof MeshError && error.code === 'address-in-use';
}

function toEntry({ auth }: SidecarStream): RegistryEntry {
  const { node, service, address, addressProof: proof } = auth;
  return { node, service, address, proof };
}
