// Every file and sub-folder of the data folder: what it says, what a start does where it is gone or
// damaged, and what is lost with it. The manifest is made of these names, the watch of the running
// server looks at them, and docs/data-folder.md shows them (a test compares).

/** What a start does without the file. */
export type Remedy =
  /** It is refused: others hold on to what was in it, and another in its place helps nobody. */
  | 'refused'
  /** It goes on with a new one; a damaged one is set aside. */
  | 'made again'
  /** Each file in the folder stands for itself: what can be made again is, the rest is told. */
  | 'told';

export interface DataFile {
  readonly name: string;
  readonly isFolder?: true;
  readonly holds: string;
  readonly remedy: Remedy;
  /** What is lost without it, as an end of "x is gone: …". */
  readonly without: string;
}

const KEYS: readonly DataFile[] = [
  {
    name: 'authority.json',
    holds: "the mesh's own CA, with its keys",
    remedy: 'refused',
    without:
      'nobody trusts the certificates of another CA: calls fail until every sidecar has new ' +
      'anchors and a new certificate, and every client certificate is void',
  },
  {
    name: 'token-keys.json',
    holds: 'the keys that sign tokens',
    remedy: 'refused',
    without: 'every token is void, and no sidecar can connect again until it has a new one',
  },
  {
    name: 'xds-anchor.json',
    holds: "the anchor of the xDS port's certificate, which every bootstrap pins",
    remedy: 'refused',
    without: 'no sidecar can connect again until it is started with a new bootstrap',
  },
];

const REVOCATIONS: readonly DataFile[] = [
  {
    name: 'revocations',
    isFolder: true,
    holds: 'who is shut out, a file each',
    remedy: 'told',
    without:
      'what was revoked is known from revocation-marks.json, and written anew; where that is ' +
      'gone too, a start is refused',
  },
  {
    name: 'revocation-marks.json',
    holds: 'which revocations were last in force, and which open connections they ended',
    remedy: 'made again',
    without: 'connections to ports that somebody revoked could call are ended once more',
  },
  {
    name: 'crls.json',
    holds: 'the revocation lists as published',
    remedy: 'made again',
    without: 'nothing, as long as the records of the certificates are there',
  },
  {
    name: 'handed-out',
    isFolder: true,
    holds: 'which certificates clients were given, a file each',
    remedy: 'told',
    without:
      'clients can not renew by their certificates, and a revocation reaches only those that it ' +
      'reached before, or that it names by serial; an old root is kept for 90 days',
  },
  {
    name: 'leaves',
    isFolder: true,
    holds: 'the leaf of each node and the serials of those before it, a file each',
    remedy: 'told',
    without:
      'leaves are issued anew; the revocation of an instance reaches its earlier leaves only ' +
      'where it reached them before',
  },
  {
    name: 'issued-tokens',
    isFolder: true,
    holds: 'which tokens commands made, a file each',
    remedy: 'told',
    without: 'a token that nobody has used is not known by its id, when it is to be revoked',
  },
  {
    name: 'orders',
    isFolder: true,
    holds: 'what commands want of the server, and its answers',
    remedy: 'told',
    without: 'orders that were not carried out: give them again',
  },
];

const STATE: readonly DataFile[] = [
  {
    name: 'mesh.json',
    holds: 'the mesh that was last fully in force',
    remedy: 'made again',
    without:
      'a mesh file with errors has nothing to fall back on, and what was edited while the server ' +
      'was down is put in force in one step',
  },
  {
    name: 'rollout.json',
    holds: 'the running steps, and the open connections that edits were to end',
    remedy: 'made again',
    without:
      'which connections an edit was to end is not known: those of every port are ended once, ' +
      "within their Envoy's drain time",
  },
  {
    name: 'registry.json',
    holds: 'endpoints',
    remedy: 'made again',
    without:
      'they are taken from sidecars.json; where that is gone too, a service has endpoints when ' +
      'its sidecars are back',
  },
  {
    name: 'static-envoys.json',
    holds: 'which secrets static Envoys take',
    remedy: 'made again',
    without: 'a change of root does not wait for a static Envoy that is not back yet',
  },
  {
    name: 'sidecars.json',
    holds: 'who is connected, and who was',
    remedy: 'made again',
    without: 'nobody knows which sidecars are missing since before the start',
  },
  {
    name: 'drains.json',
    holds: 'instances that are drained',
    remedy: 'made again',
    without: 'they are called again: give the order to drain them again',
  },
  {
    name: 'outbound-indexes.json',
    holds: 'the loopback address of each service',
    remedy: 'made again',
    without:
      'services whose names fall on one address may have changed places: compare what /etc/hosts ' +
      'and applications have',
  },
  {
    name: 'xds-server.json',
    holds: "the xDS port's certificate",
    remedy: 'made again',
    without: 'nothing: a new one is issued under the same anchor',
  },
  {
    name: 'clock.json',
    holds: 'the last time of day that was believed',
    remedy: 'made again',
    without: 'a clock that was set while the server was down is not noticed',
  },
  {
    name: 'bundles-handed-out.json',
    holds: 'when somebody was last given the trust anchors',
    remedy: 'made again',
    without: 'a change of root that is under way waits for whoever may hold the old one',
  },
  {
    name: 'step-ca.json',
    holds: "an outside CA's address and roots",
    remedy: 'made again',
    without: 'whether its roots were all replaced at once is not noticed',
  },
];

export const DATA_FILES: readonly DataFile[] = [...KEYS, ...REVOCATIONS, ...STATE];

/** What is lost without a file of that name. */
export function withoutFile(name: string): string {
  return DATA_FILES.find((one) => one.name === name)?.without ?? 'what was in it';
}
