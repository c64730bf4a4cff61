// What the data folder holds, opened and checked: all that must outlive the server.
import type { Clock, Logger, Random } from '../base/index.js';
import {
  type Authority,
  createTokenKeys,
  LeafManager,
  loadOrCreateAuthority,
  loadOrCreateServerCredential,
  openDataDir,
  type ServerCredential,
  type TokenKeys,
} from '../identity/index.js';
import {
  createOutboundIndexes,
  indexTableSchema,
  type OutboundIndexes,
} from './addresses/index.js';
import type { Closers } from './closers.js';
import { createJsonStore, type JsonStore } from './json-store.js';
import { MeshSource, type MeshState } from './mesh-source.js';
import { registrySchema, SidecarRegistry } from './registry.js';
import {
  type RolloutRecord,
  rolloutSchema,
  type StoredRollout,
  tryRolloutRecord,
} from './rollout-record.js';
import { meshFilesSchema, STORED_MESH } from './stored-mesh/index.js';

export interface State {
  readonly source: MeshSource;
  readonly authority: Authority;
  /** The authority didn't exist before. */
  readonly created: boolean;
  readonly tokens: TokenKeys;
  readonly credential: ServerCredential;
  readonly indexes: OutboundIndexes;
  readonly registry: SidecarRegistry;
  /** Where the rollout stood; undefined before the first. */
  readonly rollout: RolloutRecord | undefined;
  readonly rolloutStore: JsonStore<StoredRollout>;
  readonly leaves: LeafManager;
}

export interface StateOptions {
  readonly meshPath: string;
  readonly dataPath: string;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  readonly onMesh: (state: MeshState) => void;
}

/**
 * @throws MeshError mesh-invalid (MeshProblems), mesh-unreadable, data-unwritable, data-locked,
 * data-damaged, identity-invalid.
 */
export async function openState(options: StateOptions, closers: Closers): Promise<State> {
  const { meshPath, dataPath, logger, clock, random, onMesh } = options;
  const dataDir = await openDataDir({ path: dataPath, lock: true, random });
  closers.defer(() => dataDir.close());
  const meshStore = createJsonStore({ dataDir, name: STORED_MESH, schema: meshFilesSchema });
  closers.defer(() => meshStore.settled());
  const source = await MeshSource.open({
    path: meshPath,
    clock,
    store: meshStore,
    onChange: onMesh,
  });
  closers.defer(() => source.stop());
  const { trustDomain, services } = source.state.mesh;
  const identity = { dataDir, clock, random };
  const { authority, created } = await loadOrCreateAuthority({ ...identity, trustDomain });
  const indexStore = createJsonStore({
    dataDir,
    name: 'outbound-indexes.json',
    schema: indexTableSchema,
  });
  const [tokens, credential, indexes] = await Promise.all([
    createTokenKeys(identity),
    loadOrCreateServerCredential({
      ...identity,
      onProblem: (err) => logger.error({ err }, 'the xDS certificate could not be renewed'),
    }),
    createOutboundIndexes(indexStore),
  ]);
  closers.defer(() => credential.close());
  await indexes.ensure(services.keys());
  const rolloutStore = createJsonStore({ dataDir, name: 'rollout.json', schema: rolloutSchema });
  closers.defer(() => rolloutStore.settled());
  const stored = await rolloutStore.read();
  const rollout = stored === undefined ? undefined : tryRolloutRecord(stored);
  const registryStore = createJsonStore({
    dataDir,
    name: 'registry.json',
    schema: registrySchema,
  });
  closers.defer(() => registryStore.settled());
  const registry = new SidecarRegistry({
    clock,
    store: registryStore,
    onStoreError: (err) => logger.error({ err }, 'the registry could not be stored'),
  });
  await registry.restore();
  closers.defer(() => registry.stop());
  const leaves = new LeafManager({
    ...identity,
    authority,
    onProblem: ({ node, error, retryAtMs }) =>
      logger.error({ node, err: error, retryAtMs }, 'a certificate could not be renewed'),
  });
  closers.defer(() => leaves.close());
  const parts = { source, authority, created, tokens, credential, indexes, registry, leaves };
  return { ...parts, rollout, rolloutStore };
}
