// Who is shut out, as the newest look at the data folder found it: everybody who admits or
// certifies asks this. It is ahead of what is published; revocation-source.ts alone writes it.
import {
  type Applicant,
  assertNotRevoked,
  findRevocation,
  type Revocations,
  type RevokedCertificate,
  toRevocationKey,
  toRevokedError,
} from '../../revocation/index.js';
import { type NodeId, splitNodeId } from '../../spiffe/index.js';

export class ShutOut {
  #list: Revocations = new Map();
  #certificates: ReadonlyMap<string, RevokedCertificate> = new Map();

  setList(list: Revocations): void {
    this.#list = list;
  }

  /** The certificates that the list makes worthless. */
  setCertificates(certificates: readonly RevokedCertificate[]): void {
    this.#certificates = new Map(certificates.map((one) => [one.serialHex, one]));
  }

  /** @throws MeshError revoked */
  assertAdmitted(applicant: Applicant): void {
    assertNotRevoked(this.#list, applicant);
    // The certificate of a node that is shut out, shown under another node's name.
    const certificate = this.#certificates.get(applicant.certificateSerialHex ?? '');
    if (certificate !== undefined) throw toRevokedError(certificate.reason);
  }

  /**
   * Whether a certificate is revoked by its serial, or since it was had by one that is; its node
   * may have another.
   */
  isRevokedSerial(serialHex: string): boolean {
    if (this.#list.has(toRevocationKey({ kind: 'serial', subject: serialHex }))) return true;
    return this.#certificates.get(serialHex)?.reason.kind === 'serial';
  }

  /** Whether a node, or its service, is revoked by name: everybody refuses it. */
  isRevokedNode(node: NodeId): boolean {
    return findRevocation(this.#list, { service: splitNodeId(node).service, node }) !== undefined;
  }

  /** The service of a revoked certificate, where it is known. */
  serviceOf(serialHex: string): string | undefined {
    return this.#certificates.get(serialHex)?.service;
  }
}
