// Istio's certificate service and a client of it: a face of its own, since it is no part of the xDS
// library, and since a client needs no server.
export { watchAnchors } from './anchors-client.js';
export { ANCHORS_SERVICE, attachAnchors } from './anchors-service.js';
export { requestCertificate } from './client.js';
export type { CallerCredential } from './connect.js';
export {
  attachCertificates,
  CERTIFICATE_SERVICE,
  type CertificateQuestion,
  type CertificatesOptions,
} from './service.js';
