export {
  loadOrCreateAnchorPem,
  loadOrCreateServerCredential,
  type ServerCredential,
  XDS_SERVER_NAME,
} from './server-credential.js';
