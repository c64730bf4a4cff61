export { createBackup, findInterrupted, openBackup, restoreFolder } from './backup.js';
export { readPassphrase } from './passphrase.js';
