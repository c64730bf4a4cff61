export {
  assertNeverThere,
  findLost,
  lost,
  MANIFEST_FILE,
  type Manifest,
  readManifest,
  writeManifest,
} from './manifest.js';
