import { stringify } from 'yaml';
import { type Mesh, parseMesh } from '../../src/policy/index.js';

// Small meshes whose `ledger` differs in all that a change of one port can be about.

export interface RuleDoc {
  readonly from?: readonly string[];
  readonly methods?: readonly string[];
  readonly paths?: readonly string[];
  readonly not?: RuleDoc;
}

export interface PortDoc {
  readonly protocol: string;
  readonly mtls: string;
  readonly target?: string;
  readonly tls?: { readonly minVersion: string; readonly maxVersion?: string };
  readonly allow?: readonly RuleDoc[];
  readonly deny?: readonly RuleDoc[];
}

export interface LedgerDoc {
  /** What goes into `ledger` and what leaves its callers is captured. */
  readonly isCaptured?: boolean;
  readonly ports: { readonly [port: string]: PortDoc };
  readonly allow?: readonly RuleDoc[];
  readonly deny?: readonly RuleDoc[];
  /** Of the whole mesh and of the namespace. */
  readonly meshDeny?: readonly RuleDoc[];
  readonly namespaceAllow?: readonly RuleDoc[];
  readonly namespaceDeny?: readonly RuleDoc[];
}

/** Undefined: `check` refuses it. */
export function tryMesh(doc: LedgerDoc): Mesh | undefined {
  const { ports, allow, deny, meshDeny, namespaceAllow, namespaceDeny, isCaptured } = doc;
  const capture = (directions: object) => (isCaptured === true ? { capture: directions } : {});
  const caller = capture({ outbound: 'transparent' });
  const namespace = {
    ...(namespaceAllow && { allow: namespaceAllow }),
    ...(namespaceDeny && { deny: namespaceDeny }),
  };
  const inbound = capture({ inbound: 'transparent' });
  const ledger = { ports, ...inbound, ...(allow && { allow }), ...(deny && { deny }) };
  const text = stringify(
    {
      trustDomain: 'shop.example',
      ...(meshDeny && { deny: meshDeny }),
      ...(Object.keys(namespace).length > 0 && { namespaces: { default: namespace } }),
      services: { web: caller, batch: caller, ledger },
    },
    { aliasDuplicateObjects: false },
  );
  return parseMesh([{ path: 'mesh.yaml', text }]).mesh;
}
