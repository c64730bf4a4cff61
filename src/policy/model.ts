// The resolved mesh: what `mesh.yaml` means, with every default applied and every scope folded in
// (narrowest wins). Closed unions and plain data; translation reads only this. Each thing remembers
// the place it came from, so that a proxy's rejection names a line of mesh.yaml.
import type { SourceRef } from '../base/index.js';
import type { KeyType } from '../spiffe/index.js';

/** A service as the user writes it: `web` (namespace default) or `payments/ledger`. */
export type ServiceName = string & { readonly __brand: 'ServiceName' };

export type Mode = 'strict' | 'permissive' | 'disable';
/** Protocols that this version translates. */
export type Protocol = 'http' | 'http2' | 'grpc' | 'tcp';
/** What becomes of a request with `%2F` or `%5C` in its path. */
export type EscapedSlashes = 'reject' | 'forward';
/** `lower`: names of HTTP/1 headers arrive in lower case; `preserve`: as they were sent. */
export type HeaderCase = 'lower' | 'preserve';
export type TlsVersion = 'TLSv1_2' | 'TLSv1_3';
export type Curve = 'X25519MLKEM768' | 'X25519' | 'P-256' | 'P-384';

export interface TlsSettings {
  readonly minVersion: TlsVersion;
  readonly maxVersion: TlsVersion;
  /** OpenSSL names, TLS 1.2 only; empty: Envoy's own choice. */
  readonly cipherSuites: readonly string[];
  readonly curves: readonly Curve[];
}

export interface CertificateSettings {
  readonly ttlMs: number;
  /** Share of the lifetime after which a leaf is renewed, in (0, 1). */
  readonly renewAt: number;
  /** Each leaf is renewed at a share of its own, at most so much before or after that one. */
  readonly jitter: number;
  readonly key: KeyType;
}

/** How traffic reaches a sidecar. */
export interface CaptureSettings {
  /**
   * `loopback`: the application calls others at loopback addresses; `transparent`: where they are;
   * `none`: around its sidecar.
   */
  readonly outbound: 'loopback' | 'transparent' | 'none';
  /** `bind`: the sidecar has the declared ports; `transparent`: the application may have them. */
  readonly inbound: 'bind' | 'transparent';
  /** Ports that capture leaves alone, in both directions; ascending. */
  readonly exclude: readonly number[];
  /** Of `inbound: transparent`: what becomes of a call of a port that nobody declared. */
  readonly undeclared: 'pass' | 'refuse';
  /** Of `outbound: transparent`: `registry` closes what leads to no declared port of a service. */
  readonly egress: 'any' | 'registry';
}

/** Who a rule's `from` entry names. */
export type Caller =
  | { readonly kind: 'anyone' }
  /** `*`: every identity of this trust domain. */
  | { readonly kind: 'mesh' }
  | { readonly kind: 'namespace'; readonly namespace: string }
  | { readonly kind: 'service'; readonly service: ServiceName; readonly spiffeId: string }
  /** A whole SPIFFE ID, or one with `*` at its end (then `id` is what stands before the star). */
  | { readonly kind: 'spiffe'; readonly id: string; readonly prefix: boolean };

/**
 * A path pattern of a rule. `exact` and `prefix` and `suffix` compare text; `prefix` of `/v1/*` has
 * text `/v1/` and matches `/v1` too (`orExact: '/v1'`); `template` has `{*}` and `{**}` segments.
 */
export type PathPattern =
  | { readonly kind: 'exact'; readonly text: string }
  | { readonly kind: 'prefix'; readonly text: string; readonly orExact?: string }
  | { readonly kind: 'suffix'; readonly text: string }
  | { readonly kind: 'any' }
  | { readonly kind: 'template'; readonly text: string };

/**
 * Fields of a rule; a field that is absent matches everything, a list matches when one entry does.
 */
export interface RuleFields {
  readonly from?: readonly Caller[];
  readonly methods?: readonly string[];
  readonly paths?: readonly PathPattern[];
}

export interface Rule extends RuleFields {
  /** None of these may match. Each field negates by itself. */
  readonly not?: RuleFields;
  readonly source: SourceRef;
}

/** What decides at one port, with scopes folded in: MODEL.md "Access". */
export interface PortAccess {
  /** Of every scope; one match refuses. */
  readonly deny: readonly Rule[];
  /** Of the one scope that decides (`inherit` already followed). */
  readonly allow: readonly Rule[];
  /** What happens to a call that no `allow` rule matches. */
  readonly otherwise: 'allow' | 'deny';
  /**
   * Where the decision was written (the allow list or the access setting; the port, for the
   * default).
   */
  readonly source: SourceRef;
  /** Of services that show other identities than the one these rules know; absent: none do. */
  readonly aliases?: readonly Alias[];
}

/** A service as rules know it, and what it may show. */
export interface Alias {
  readonly spiffeId: string;
  readonly others: readonly string[];
}

export interface Port {
  readonly number: number;
  readonly protocol: Protocol;
  /** Where the application listens: at an IP address, or at those that a DNS name has. */
  readonly target: { readonly address: string; readonly port: number };
  readonly mode: Mode;
  /** Where the mode was written; the port's own place where it is the default. */
  readonly modeSource: SourceRef;
  readonly tls: TlsSettings;
  readonly access: PortAccess;
  /** Unwritten: `reject` where rules look at paths, else `forward`. */
  readonly escapedSlashes: EscapedSlashes;
  readonly headerCase: HeaderCase;
  /** What its sidecar asks the application for, to know whether it is well; undefined: nothing. */
  readonly health: { readonly path: string } | undefined;
  readonly source: SourceRef;
  /** In which forms it stands while it is changed; absent: in this one. */
  readonly between?: Between;
}

/** Forms of one port, from the meshes that it is changed between. None is between forms itself. */
export interface Between {
  /** As its callers' sidecars take it to be. */
  readonly callers: Port;
  /** What decides on those who come by TLS, at the mesh port or the declared one. */
  readonly tls?: Port;
  /** What decides on those who come in plain text. */
  readonly plain?: Port;
}

/** An address without a sidecar. */
export interface StaticEndpoint {
  /** IPv4, IPv6 or DNS name. */
  readonly host: string;
  readonly isIp: boolean;
  /** Undefined: the declared port's own number. */
  readonly port: number | undefined;
  readonly source: SourceRef;
}

export interface Service {
  readonly name: ServiceName;
  readonly namespace: string;
  /** The name within its namespace. */
  readonly shortName: string;
  readonly serviceAccount: string;
  /** `spiffe://<trustDomain>/ns/<namespace>/sa/<serviceAccount>` */
  readonly spiffeId: string;
  /**
   * Names that server leaves carry: `ledger.payments`, `ledger.payments.mesh`, in `default` also
   * `ledger`.
   */
  readonly dnsNames: readonly string[];
  readonly sidecar: boolean;
  readonly endpoints: readonly StaticEndpoint[];
  /** By number, ascending. */
  readonly ports: readonly Port[];
  readonly certificates: CertificateSettings;
  readonly capture: CaptureSettings;
  readonly source: SourceRef;
  /** Earlier names, which are good still; absent: none. */
  readonly formerly?: readonly ServiceName[];
  /** SPIFFE IDs beside its own that count as it; absent: none. */
  readonly alsoKnownAs?: readonly string[];
  /** How it stands while its name or its identity changes; absent: as the rest says. */
  readonly moving?: Moving;
  /**
   * The mesh declares it no longer: nobody begins a call (`called`: those who haven't heard of it
   * may), or it has no listeners any more. Absent: it is declared.
   */
  readonly leaving?: 'called' | 'draining';
}

/** What of a service is still as before, or is made anew, between two identities. */
export interface Moving {
  /** The SPIFFE ID of which it is given leaves. */
  readonly certifiedAs?: string;
  /** The earlier name by which its callers' sidecars ask for it. */
  readonly calledAs?: ServiceName;
  /** Names, beside its own and its earlier ones, by which somebody may still ask for it. */
  readonly alsoCalled?: readonly ServiceName[];
  /** Differs from what it was where its sidecars are to connect to their callees anew. */
  readonly connects?: string;
}

/** An outside CA that signs the mesh's certificates. */
export interface AuthoritySettings {
  readonly kind: 'step-ca';
  /** `https://host:port`. */
  readonly url: string;
  /** PEM file of the mesh's trust anchors; relative as the mesh's own path is. */
  readonly rootPath: string;
  readonly provisioner: string;
  /** File of the provisioner's private key; relative as the mesh's own path is. */
  readonly keyPath: string;
  readonly source: SourceRef;
}

/** Signature algorithms of outside tokens (RFC 7518 3.1, RFC 8037). */
export type TokenAlgorithm =
  | 'RS256'
  | 'RS384'
  | 'RS512'
  | 'PS256'
  | 'PS384'
  | 'PS512'
  | 'ES256'
  | 'ES384'
  | 'ES512'
  | 'EdDSA';

export type ClaimPattern =
  | { readonly kind: 'any' }
  | { readonly kind: 'exact' | 'prefix' | 'suffix'; readonly text: string };

/** A claim of a token, and what its value must be. */
export interface NamedClaim {
  readonly name: string;
  readonly pattern: ClaimPattern;
}

/** Where an issuer's public keys are. */
export type NodeIssuerKeys =
  /** Absolute, or relative as the mesh file's own path is. */
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'url'; readonly url: string }
  /** OpenID Connect discovery. */
  | { readonly kind: 'discovery'; readonly issuer: string };

/** Which service a token is whose claims all match. */
export interface NodeMapping {
  readonly service: ServiceName;
  /** At least one; all must match. */
  readonly claims: readonly NamedClaim[];
  /** The claim that names the only instance that the token is good for. */
  readonly instance: string | undefined;
  /** The claim with the only IP addresses, or ranges, that the token is good for: one or a list. */
  readonly addresses: string | undefined;
  readonly source: SourceRef;
}

/** Whose JWTs sidecars may show instead of our own tokens. */
export interface NodeIssuer {
  /** The `iss` claim, exactly. */
  readonly issuer: string;
  /** One of them must be in `aud`. */
  readonly audiences: readonly string[];
  readonly keys: NodeIssuerKeys;
  readonly algorithms: readonly TokenAlgorithm[];
  /** The first that matches names the service. */
  readonly nodes: readonly NodeMapping[];
  readonly source: SourceRef;
}

export interface Mesh {
  readonly trustDomain: string;
  /** Absent: the server's own CA, in its data folder. */
  readonly authority?: AuthoritySettings;
  /** By name, ascending. */
  readonly services: ReadonlyMap<ServiceName, Service>;
  readonly nodeIssuers: readonly NodeIssuer[];
  /** Hash of the files' content: 12 hex digits. `status` shows it as mesh.version. */
  readonly version: string;
}

/** A note says what follows from the mesh and is no fault of it. */
export type Severity = 'error' | 'warning' | 'exemption' | 'note';

/** Something `check` reports. Errors keep a mesh out of force. */
export interface Problem {
  readonly severity: Severity;
  /** A warning that `check --strict` takes for an error. */
  readonly strict?: true;
  readonly source: SourceRef;
  /** `services.payments/ledger.ports.8080.mtls`, or empty for the document. */
  readonly path: string;
  readonly message: string;
  readonly hint?: string;
}
