export { tryDerivePublicKey } from './ec-keys.js';
export { encryptKey, openKey } from './encrypted-key.js';
export { generateKeys, type KeyPair, type KeySource, sha256Hex } from './keys.js';
export { type Signed, signatureAlgorithm, signDer, verifyDer } from './signature.js';
