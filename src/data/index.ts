export { type DataDir, isDataName, openDataDir } from './data-dir.js';
export { damaged, unreadable, unwritable, writing } from './data-errors.js';
export {
  FILE_MODE,
  FOLDER_MODE,
  GITIGNORE_FILE,
  LOCK_FILE,
  makeFolder,
  syncFolder,
  TOKEN_KEYS_FILE,
  TOKEN_KEYS_LOCK,
} from './data-folder.js';
export { isLockHeld, takeDataLock, waitForDataLock } from './data-lock.js';
export { DataWatch } from './data-watch.js';
export { type DiskTrouble, DiskWatch } from './disk-watch.js';
export { writeGitignore } from './gitignore.js';
export { createJsonStore, type DurableStore, type JsonStore } from './json-store.js';
