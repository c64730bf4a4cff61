export { caProblems, missingExtensions } from './ca-rules.js';
export { type ClientIdentity, verifyClientCertificate } from './client-certificate.js';
export {
  assertCertificate,
  certificateProblems,
  type Expectation,
  type ExpectedLeaf,
} from './validate.js';
