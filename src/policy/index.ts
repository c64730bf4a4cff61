export { looksAtPaths, needsHttp } from './access.js';
export { besidePrefix, toShownIds } from './aliases.js';
export { changedAuthority } from './authority.js';
export { callerMatches } from './caller.js';
export { claimMatches } from './claim-pattern.js';
export {
  type Call,
  type Effect,
  mayCall,
  mayPass,
  notEffect,
} from './decide.js';
export { exampleMesh } from './example.js';
export { loadMesh, readMeshFiles, skippedFiles } from './files.js';
export {
  findDeclared,
  findService,
  splitServiceName,
  toNames,
  toSpiffeIds,
} from './former-names.js';
export {
  connectingIdentities,
  type IdentityName,
  mayConnectPlain,
} from './identities.js';
export { jwksProblem, MAX_JWKS_BYTES, readJwks } from './jwks.js';
export { MESH_PORT } from './keys.js';
export { formatProblem, type LoadedMesh, type MeshFile, parseMesh } from './load.js';
export type * from './model.js';
export { serviceName, tryServiceName } from './names.js';
export { compareAccess, type Narrowing } from './narrowing.js';
export { pathMatches, templateRegex } from './path-pattern.js';
export { spellingsOf } from './path-spellings.js';
export { type ProblemJson, toProblemJson } from './problem-json.js';
export { haveSameMeaning } from './same-meaning.js';
export { meshSchema } from './schema.js';
export { tokenizeYaml } from './yaml-tokens.js';
