// Istio's certificate service and a client of it: a face of its own, since it is no part of the xDS
// library, and since a client needs no server.
export { type CallerCredential, type CertificateCall, requestCertificate } from './client.js';
export {
  attachCertificates,
  CERTIFICATE_SERVICE,
  type CertificateQuestion,
  type CertificatesOptions,
} from './service.js';
