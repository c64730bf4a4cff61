export { caProblems } from './ca-rules.js';
export { type ClientIdentity, verifyClientCertificate } from './client-certificate.js';
export { isSignedBy } from './signed-by.js';
export {
  assertCertificate,
  certificateProblems,
  type Expectation,
  type ExpectedLeaf,
} from './validate.js';
