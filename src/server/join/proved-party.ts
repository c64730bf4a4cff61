// Who somebody is that was refused after it had proved a service.
import type { Party } from './party.js';
import type { Credential, Proof } from './proof.js';

/** Who has proved a service, by what it showed. */
export function partyOf({ service, credential }: Pick<Proof, 'service' | 'credential'>): Party {
  return { service, ...toShown(credential) };
}

function toShown(credential: Credential): Party {
  switch (credential.kind) {
    case 'token':
      return { tokenId: credential.id };
    case 'certificate':
      return { certificateSerialHex: credential.serialHex };
    case 'issuer-token':
      return {};
  }
}
