// What an operator can do where a sidecar can't bind a listener's address.

export interface BindTrouble {
  readonly reason: 'in-use' | 'not-local' | 'not-permitted' | 'other';
  /** `10.0.0.7:8080` */
  readonly address: string | null;
  /** Who has it, where the server could see that. */
  readonly holder: string | null;
  /** The sidecar is called there; else its own application calls others there. */
  readonly isInbound: boolean;
  /** The kernel hands it what it captured; default: no. */
  readonly isCapture?: boolean;
}

const AGAIN = 'it is tried again by itself';

export function toBindHint(trouble: BindTrouble): string {
  const { reason, isInbound } = trouble;
  switch (reason) {
    case 'in-use':
      return toInUseHint(trouble);
    case 'not-local': {
      const option = isInbound ? '--address' : '--outbound';
      return `its host has no such address: give it one of its own by bootstrap ${option}`;
    }
    case 'not-permitted':
      return (
        'let Envoy bind ports below 1024 there: CAP_NET_BIND_SERVICE, or sysctl ' +
        `net.ipv4.ip_unprivileged_port_start; ${AGAIN}`
      );
    case 'other':
      return `see Envoy's log on its host; ${AGAIN}`;
  }
}

function toInUseHint({ address, holder, isInbound, isCapture = false }: BindTrouble): string {
  const port = /:(\d+)$/.exec(address ?? '')?.[1];
  const filter = port === undefined ? '' : ` 'sport = :${port}'`;
  const look = `see who has it on its host: ss -ltnp${filter}`;
  const first = holder === null ? look : 'stop that, or let it listen elsewhere';
  if (isCapture) return `${first} (a network namespace has one sidecar that captures); ${AGAIN}`;
  const shared = 'sidecars of one host need prefixes of their own: bootstrap --outbound';
  if (!isInbound) return `${first} (${shared}); ${AGAIN}`;
  const own = 'a sidecar with --listen any needs a network namespace of its own';
  return isEverywhere(address) ? `${first} (${own}); ${AGAIN}` : `${first}; ${AGAIN}`;
}

function isEverywhere(address: string | null): boolean {
  return address !== null && /^(?:0\.0\.0\.0|\[::\]):/.test(address);
}
