// A PKCS #12 file (RFC 7292): two safes, of the certificates and of the key, each encrypted, and a
// MAC over both. node-forge brings the ASN.1 and the MAC's key derivation, which node:crypto lacks;
// its own `toPkcs12Asn1` takes RSA keys only, and encrypts with SHA-1. What encrypts is
// node:crypto's. Loaded when the first file is made, never before: no other command needs it.
//
// Java calls a certificate trusted only where an attribute of Oracle's says so; other readers pass
// over that.
import { createHash, createPrivateKey } from 'node:crypto';
import type { asn1 } from 'node-forge';
import type { Random } from '../../base/index.js';
import { splitPem } from '../read/index.js';
import { type Encrypted, encrypt, ITERATIONS } from './pbes2.js';

export interface Pkcs12Contents {
  /** PKCS #8. */
  readonly keyPem: string;
  /** The leaf first. */
  readonly chainPem: string;
  readonly anchorsPem: string;
  /** How readers list the key; Java's alias, in lower case there. */
  readonly name: string;
  /** Printable ASCII: Java takes no other. */
  readonly password: string;
  readonly random: Random;
}

type Forge = typeof import('node-forge');
type Value = asn1.Asn1;

const OID = {
  data: '1.2.840.113549.1.7.1',
  encryptedData: '1.2.840.113549.1.7.6',
  shroudedKeyBag: '1.2.840.113549.1.12.10.1.2',
  certBag: '1.2.840.113549.1.12.10.1.3',
  x509Certificate: '1.2.840.113549.1.9.22.1',
  friendlyName: '1.2.840.113549.1.9.20',
  localKeyId: '1.2.840.113549.1.9.21',
  trustedKeyUsage: '2.16.840.1.113894.746875.1.1',
  anyExtendedKeyUsage: '2.5.29.37.0',
  pbes2: '1.2.840.113549.1.5.13',
  pbkdf2: '1.2.840.113549.1.5.12',
  hmacSha256: '1.2.840.113549.2.9',
  sha256: '2.16.840.1.101.3.4.2.1',
  aes256Cbc: '2.16.840.1.101.3.4.1.42',
} as const;
const VERSION = 3;
/** RFC 7292 B.3: the derived key is for a MAC. */
const MAC_KEY = 3;
const SHA256_BYTES = 32;
const SALT_BYTES = 16;

/** The file's bytes; other ones each time. @throws MeshError certificate-invalid for a bad PEM */
export async function toPkcs12(contents: Pkcs12Contents): Promise<Buffer> {
  const { default: forge } = await import('node-forge');
  const write = new Writer(forge);
  const { chainPem, anchorsPem, name, password, random } = contents;
  const [leaf = Buffer.alloc(0), ...above] = splitPem(chainPem);
  const anchors = splitPem(anchorsPem);
  const isAnchor = (der: Buffer): boolean => anchors.some((anchor) => anchor.equals(der));
  const keyId = createHash('sha256').update(leaf).digest();
  const own = [write.friendlyName(name), write.attribute(OID.localKeyId, write.octets(keyId))];
  const trusted = write.attribute(OID.trustedKeyUsage, write.oid(OID.anyExtendedKeyUsage));
  const certificates = [
    write.certBag(leaf, own),
    ...above.filter((der) => !isAnchor(der)).map((der) => write.certBag(der, [])),
    ...anchors.map((der, i) =>
      write.certBag(der, [write.friendlyName(`trust anchor ${i + 1}`), trusted]),
    ),
  ];
  const keyDer = createPrivateKey(contents.keyPem).export({ type: 'pkcs8', format: 'der' });
  const seal = (plain: Buffer): Promise<Encrypted> => encrypt({ plain, password, random });
  const safe = await seal(write.encode(write.sequence(...certificates)));
  const key = await seal(keyDer);
  const keyBag = write.bag(OID.shroudedKeyBag, write.encryptedKey(key), own);
  const safes = write.encode(
    write.sequence(write.encryptedData(safe), write.data(write.encode(write.sequence(keyBag)))),
  );
  const mac = write.mac(safes, { password, salt: random.bytes(SALT_BYTES) });
  return write.encode(write.sequence(write.integer(VERSION), write.data(safes), mac));
}

/** The structures of RFC 7292, 5958 and 8018, in node-forge's ASN.1. */
class Writer {
  readonly #forge: Forge;

  constructor(forge: Forge) {
    this.#forge = forge;
  }

  encode(value: Value): Buffer {
    return Buffer.from(this.#forge.asn1.toDer(value).getBytes(), 'latin1');
  }

  sequence(...parts: readonly Value[]): Value {
    return this.#universal('SEQUENCE', [...parts]);
  }

  oid(dotted: string): Value {
    return this.#universal('OID', this.#forge.asn1.oidToDer(dotted).getBytes());
  }

  integer(value: number): Value {
    return this.#universal('INTEGER', this.#forge.asn1.integerToDer(value).getBytes());
  }

  octets(bytes: Buffer): Value {
    return this.#universal('OCTETSTRING', bytes.toString('latin1'));
  }

  attribute(type: string, value: Value): Value {
    return this.sequence(this.oid(type), this.#universal('SET', [value]));
  }

  friendlyName(name: string): Value {
    // node-forge encodes the text of this type itself.
    return this.attribute(OID.friendlyName, this.#universal('BMPSTRING', name));
  }

  bag(type: string, value: Value, attributes: readonly Value[]): Value {
    const set = attributes.length === 0 ? [] : [this.#universal('SET', [...attributes])];
    return this.sequence(this.oid(type), this.#context(value), ...set);
  }

  certBag(der: Buffer, attributes: readonly Value[]): Value {
    const value = this.sequence(this.oid(OID.x509Certificate), this.#context(this.octets(der)));
    return this.bag(OID.certBag, value, attributes);
  }

  data(bytes: Buffer): Value {
    return this.sequence(this.oid(OID.data), this.#context(this.octets(bytes)));
  }

  encryptedKey(encrypted: Encrypted): Value {
    return this.sequence(this.#algorithm(encrypted), this.octets(encrypted.bytes));
  }

  encryptedData(encrypted: Encrypted): Value {
    const { asn1 } = this.#forge;
    const text = encrypted.bytes.toString('latin1');
    const content = this.sequence(
      this.oid(OID.data),
      this.#algorithm(encrypted),
      asn1.create(asn1.Class.CONTEXT_SPECIFIC, 0 as asn1.Type, false, text),
    );
    const data = this.sequence(this.integer(0), content);
    return this.sequence(this.oid(OID.encryptedData), this.#context(data));
  }

  mac(bytes: Buffer, { password, salt }: { password: string; salt: Buffer }): Value {
    const { pkcs12, hmac, md, util } = this.#forge;
    const salted = util.createBuffer(salt.toString('latin1'));
    const sha256 = md.sha256.create();
    const key = pkcs12.generateKey(password, salted, MAC_KEY, ITERATIONS, SHA256_BYTES, sha256);
    const authentication = hmac.create();
    authentication.start('sha256', key);
    authentication.update(bytes.toString('latin1'));
    const digest = Buffer.from(authentication.digest().getBytes(), 'latin1');
    return this.sequence(
      this.sequence(this.sequence(this.oid(OID.sha256), this.#null()), this.octets(digest)),
      this.octets(salt),
      this.integer(ITERATIONS),
    );
  }

  #algorithm({ salt, iv }: Encrypted): Value {
    const derivation = this.sequence(
      this.oid(OID.pbkdf2),
      this.sequence(
        this.octets(salt),
        this.integer(ITERATIONS),
        this.sequence(this.oid(OID.hmacSha256), this.#null()),
      ),
    );
    const cipher = this.sequence(this.oid(OID.aes256Cbc), this.octets(iv));
    return this.sequence(this.oid(OID.pbes2), this.sequence(derivation, cipher));
  }

  #null(): Value {
    return this.#universal('NULL', '');
  }

  /** `[0]` EXPLICIT. */
  #context(value: Value): Value {
    const { asn1 } = this.#forge;
    return asn1.create(asn1.Class.CONTEXT_SPECIFIC, 0 as asn1.Type, true, [value]);
  }

  #universal(type: keyof typeof asn1.Type, value: string | Value[]): Value {
    const { asn1 } = this.#forge;
    return asn1.create(asn1.Class.UNIVERSAL, asn1.Type[type], typeof value !== 'string', value);
  }
}
