// PKCS #12: a key, its chain and what it trusts in one file under a password, for programs that
// take no PEM (Java, Windows, browsers). A face of its own, so that who issues loads none of it.
export { type Pkcs12Contents, toPkcs12 } from './pkcs12.js';
