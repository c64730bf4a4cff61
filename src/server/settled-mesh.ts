// The mesh that is wholly in force, made durable: the next start begins with it, and only then does
// anybody learn that it is in force.
import { type Cancel, type Clock, Listeners, type Logger } from '../base/index.js';
import type { Mesh } from '../policy/index.js';
import { type Rollout, STORE_RETRY_MS } from './mesh/index.js';

export interface SettledMeshOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly rollout: Pick<Rollout, 'inForce' | 'onSettled'>;
  /** Makes durable that this mesh is wholly in force. */
  readonly store: (mesh: Mesh) => Promise<void>;
}

export class SettledMesh {
  readonly #options: SettledMeshOptions;
  #value: Mesh | undefined;
  #cancelRetry: Cancel | undefined;
  /** A mesh is in force and stored. */
  readonly changes = new Listeners();

  constructor(options: SettledMeshOptions) {
    this.#options = options;
    options.rollout.onSettled((mesh) => this.#store(mesh));
  }

  /** Undefined before the first. */
  get value(): Mesh | undefined {
    return this.#value;
  }

  stop(): void {
    this.#cancelRetry?.();
  }

  #store(mesh: Mesh): void {
    const { clock, logger, rollout, store } = this.#options;
    store(mesh).then(
      () => {
        this.#value = mesh;
        logger.info({ mesh: mesh.version }, 'mesh in force');
        this.changes.notify();
      },
      (err: unknown) => {
        logger.error({ err }, 'the mesh in force could not be stored: it is tried again');
        this.#cancelRetry?.();
        this.#cancelRetry = clock.after(STORE_RETRY_MS, () => {
          if (rollout.inForce.value === mesh) this.#store(mesh);
        });
      },
    );
  }
}
