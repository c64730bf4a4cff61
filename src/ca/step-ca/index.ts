export {
  assertOwnAuthority,
  forgetStepCa,
  openStepCa,
  openStoredAuthority,
  type ShownAuthority,
  showStoredAuthority,
} from './open.js';
export { readStepCaRecord, STEP_CA_FILE, type StepCaRecord } from './record.js';
export { StepCaAuthority } from './step-ca-authority.js';
