export { openSidecarsFile, type SeenSidecar, type SeenSidecars, SIDECARS_FILE } from './holders.js';
export { type IssuedToken, isIssued, issueToken, listIssued } from './issued.js';
export { TAKE_TOKEN_KEYS, type TokenKeysReport } from './take-token-keys.js';
export {
  CLOCK_SKEW_MS,
  MAX_TOKEN_ADDRESSES,
  type SignedToken,
  TOKEN_ISSUER,
  type TokenClaims,
} from './token.js';
export {
  listTokenKeys,
  retireTokenKey,
  rotateTokenKey,
  type TokenKeyInfo,
} from './token-key-rotation.js';
export { createTokenKeys, type TokenKeys } from './token-keys.js';
