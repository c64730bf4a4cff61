export type * from './compose-project.js';
export { type ReadProject, type ReadProjectOptions, readProject } from './read-project.js';
