export {
  assertOwnAuthority,
  forgetStepCa,
  openStepCa,
  openStoredAuthority,
  type ShownAuthority,
  showStoredAuthority,
} from './open.js';
export { readStepCaRecord, type StepCaRecord } from './record.js';
export { StepCaAuthority } from './step-ca-authority.js';
