/** Every code a MeshError can have, with its meaning. docs/errors.md lists the same (tidy compares). */
export const ERROR_CODES = {
  'mesh-invalid': 'mesh.yaml has problems; each is listed with its place',
  'mesh-unreadable': 'the mesh file or folder cannot be read',
  'data-unwritable': 'the data folder cannot be created or written',
  'data-locked': 'another server holds the data folder',
  'data-damaged': 'a file of the data folder is not what was stored there',
  'data-missing': 'the data folder has no authority yet',
  'port-in-use': 'an address to listen on is taken',
  'certificate-invalid': 'a certificate or key breaks a rule',
  'identity-invalid': 'a SPIFFE ID or name breaks a rule',
  'token-missing': 'no token was given',
  'token-invalid': 'a token is malformed or its signature is wrong',
  'token-expired': 'a token is past its end',
  'token-wrong-service': 'a token belongs to another service',
  'service-unknown': 'the mesh declares no such service',
  'address-in-use': 'an address is claimed by a connected sidecar of another service',
  'resource-limit': 'a stated limit was reached',
  'request-invalid': 'a discovery request breaks the xDS protocol',
  'server-unreachable': 'the server does not answer',
  usage: 'a command was used wrongly',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;
