// What becomes of a compose project: which services get a sidecar and how, whom they may call by
// which names, and what is left as it is, each with its evidence or reason.
import type { ComposePort, Condition } from '../project/index.js';

/**
 * `fronted`: the application is alone with its sidecar on a private network, needs no capability,
 * and scales. `holder`: a tiny container keeps a network namespace with transparent capture, which
 * application and sidecar join (FACTS.md, "Docker and compose").
 */
export type Shape = 'fronted' | 'holder';

export type PlannedProtocol = 'http' | 'http2' | 'grpc' | 'tcp';

/** What a guess rests on, in words for a comment: `DATABASE_URL of api`, `image postgres`. */
export type Evidence = string;

export interface PlannedPort {
  readonly number: number;
  readonly protocol: PlannedProtocol;
  /** Why this port, and why this protocol. */
  readonly evidence: Evidence;
}

export interface PlannedCall {
  /** The callee's name in the compose file. It shares a network with the caller. */
  readonly callee: string;
  /** Undefined: nothing in the file says so; the callee is open to it by default. */
  readonly evidence: Evidence | undefined;
}

export interface PlannedNetwork {
  readonly name: string;
  /** It leads nowhere outside. */
  readonly isInternal: boolean;
  /**
   * All names by which others reach the service there: its own, container name, aliases, hostname.
   */
  readonly names: readonly string[];
  readonly staticAddresses: readonly string[];
}

export interface PlannedService {
  /** In the compose file. */
  readonly compose: string;
  /** In mesh.yaml, an RFC 1123 label. */
  readonly name: string;
  readonly shape: Shape;
  /** None: it only calls. Sorted by number. */
  readonly ports: readonly PlannedPort[];
  /** Those with evidence first. With the callees that are left out (`LeftOut`). */
  readonly calls: readonly PlannedCall[];
  /** Names that the caller alone uses (`links: [db:database]`), and the callee behind each. */
  readonly ownNames: ReadonlyMap<string, string>;
  /** It has `links`, which lead nowhere from a network of its own. */
  readonly hasLinks: boolean;
  readonly networks: readonly PlannedNetwork[];
  /** TCP ports that the sidecar (or holder) publishes instead. */
  readonly published: readonly ComposePort[];
  readonly hostname: string | undefined;
  /** As its author wrote them: `name:address`. */
  readonly extraHosts: readonly string[];
  readonly dependsOn: ReadonlyMap<string, Condition>;
  /** It ends by itself. */
  readonly isJob: boolean;
  readonly replicas: number;
  readonly profiles: readonly string[];
  /**
   * Labels and variables that a proxy in front reads of the container which it calls: as a compose
   * file takes them, with the variables that their author wrote and other dollar signs twice.
   */
  readonly movedLabels: ReadonlyMap<string, string>;
  readonly movedEnvironment: ReadonlyMap<string, string>;
  /** Keys of the service that can't stand beside a network that another container keeps. */
  readonly otherKeys: ReadonlySet<string>;
  /** Whole sentences for whoever reads the result: what to know, what to do. */
  readonly remarks: readonly string[];
}

/** A service that stays as it is, without sidecar. */
export interface LeftOut {
  readonly compose: string;
  /** Short: `host network`, `UDP port 514`. */
  readonly reason: string;
  /** A sentence: what to do about it, or why nothing. */
  readonly hint: string;
  /**
   * At which meshed services call it, in plain text; with a name in mesh.yaml where there are any.
   */
  readonly ports: readonly PlannedPort[];
  readonly name: string | undefined;
  readonly networks: readonly PlannedNetwork[];
  /**
   * Its callers must reach it at its own addresses, around their sidecars: it is called by UDP,
   * hands out addresses, or nothing says on which ports it is called.
   */
  readonly isDirect: boolean;
}

export interface MeshPlan {
  readonly project: string;
  readonly trustDomain: string;
  /** Of `x-countersign` of the file: the range of addresses to take, and our own image. */
  readonly subnets: string | undefined;
  readonly image: string | undefined;
  /** In the order of the file. */
  readonly services: readonly PlannedService[];
  readonly leftOut: readonly LeftOut[];
  /** Of the whole project. */
  readonly remarks: readonly string[];
}
