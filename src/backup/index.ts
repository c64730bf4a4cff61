export { createBackup, findInterrupted, openBackup, restoreFolder } from './backup.js';
export { readPassphrase, requireStrong } from './passphrase.js';
