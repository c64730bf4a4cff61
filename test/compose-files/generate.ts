// `countersign compose` without its files: what it would write of one of the corpus.
import { type MeshPlan, planMesh } from '../../src/compose/plan/index.js';
import {
  type ComposeProject,
  type ReadProjectOptions,
  readProject,
} from '../../src/compose/project/index.js';
import {
  type MeshYaml,
  toMeshYaml,
  toOverride,
  type Wiring,
  wire,
} from '../../src/compose/write/index.js';

export interface Generated {
  readonly project: ComposeProject;
  readonly plan: MeshPlan;
  /** These: undefined where nothing can be meshed. */
  readonly wiring: Wiring | undefined;
  readonly mesh: string | undefined;
  readonly override: string | undefined;
  /** mesh.yaml of a second run. */
  readonly again: MeshYaml | undefined;
}

export interface Source {
  readonly folder: string;
  readonly files: readonly string[];
}

/** By default without any other program, and without a variable of this process. */
export async function generate(
  { folder, files }: Source,
  options: Pick<ReadProjectOptions, 'reader' | 'env'> = { reader: 'own', env: {} },
): Promise<Generated> {
  const { project } = await readProject({ files, cwd: folder, ...options });
  const plan = planMesh(project);
  const none = { wiring: undefined, mesh: undefined, override: undefined, again: undefined };
  if (plan.services.length === 0) return { project, plan, ...none };
  const wiring = wire(plan);
  const mesh = toMeshYaml(wiring).text;
  const override = toOverride(wiring, {
    sources: files.map((file) => file.slice(folder.length + 1)),
    override: 'docker-compose.mesh.yml',
    meshFolder: '.',
  });
  return { project, plan, wiring, mesh, override, again: toMeshYaml(wiring, mesh) };
}
