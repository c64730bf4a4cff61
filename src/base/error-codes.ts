/**
 * Every code a MeshError can have, with its meaning. docs/errors.md lists the same (tidy compares).
 */
export const ERROR_CODES = {
  'mesh-invalid': 'mesh.yaml has problems; each is listed with its place',
  'mesh-unreadable': 'the mesh file or folder cannot be read',
  'data-unwritable': 'the data folder cannot be created or written',
  'data-unreadable': 'a file of the data folder cannot be read',
  'data-foreign': 'the folder given for data holds other things',
  'data-locked': 'another server holds the data folder',
  'data-damaged': 'a file of the data folder is not what was stored there',
  'data-missing': 'the data folder has no authority yet',
  'port-in-use': 'an address to listen on is taken',
  'certificate-invalid': 'a certificate or key breaks a rule',
  'passphrase-missing': 'a key is encrypted and no passphrase was given',
  'passphrase-wrong': 'a passphrase does not open what it should',
  'identity-invalid': 'a SPIFFE ID or name breaks a rule',
  'token-missing': 'no token was given',
  'token-invalid': 'a token is malformed or its signature is wrong',
  'token-expired': 'a token is past its end',
  'token-wrong-service': 'a token belongs to another service',
  'service-unknown': 'the mesh declares no such service',
  'address-in-use': 'an address is claimed by a connected sidecar of another service',
  'resource-limit': 'a stated limit was reached',
  'request-invalid': 'a discovery request breaks the xDS protocol',
  'snapshot-dangling': 'a snapshot refers to resources that it lacks',
  'stream-superseded': 'a newer stream of the same sidecar has taken the place of this one',
  'server-stopping': 'the server is shutting down',
  'server-unreachable': 'the server does not answer',
  'server-error': 'the server answered a command with an error',
  'file-exists': 'a file that a command would make is there already',
  'file-unwritable': 'a file outside the data folder cannot be written',
  'envoy-missing': 'no Envoy binary can be had',
  'child-failed': 'a process that the demo or a test started ended or did not get ready',
  timeout: 'what was waited for did not happen in time',
  usage: 'a command was used wrongly',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;
