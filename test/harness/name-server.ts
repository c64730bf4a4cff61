import { createSocket } from 'node:dgram';
import { once } from 'node:events';

/** IPv4 addresses of a name; none; or what the server answers instead. */
export type Answer = readonly string[] | 'SERVFAIL';

export interface NameServer {
  /** What it answers from now on; a name that isn't there doesn't exist. */
  zone: Readonly<Record<string, Answer>>;
  /** So far. */
  readonly queries: number;
  close(): Promise<void>;
}

const HEADER = 12;
const RCODES = { none: 0, SERVFAIL: 2, NXDOMAIN: 3 } as const;
const TYPE_A = 1;
/** As Docker's: who asks again must not wait for so long. */
const TTL_S = 600;

/** A name server of A records (RFC 1035), over UDP. */
export async function startNameServer(address: string): Promise<NameServer> {
  const socket = createSocket('udp4');
  let queries = 0;
  const server = {
    zone: {} as Readonly<Record<string, Answer>>,
    get queries() {
      return queries;
    },
    async close() {
      socket.close();
      await once(socket, 'close');
    },
  };
  socket.on('message', (query, { port, address: from }) => {
    queries++;
    socket.send(toResponse(query, server.zone), port, from);
  });
  socket.bind(53, address);
  await once(socket, 'listening');
  return server;
}

function toCode(answer: Answer | undefined): number {
  if (answer === undefined) return RCODES.NXDOMAIN;
  return answer === 'SERVFAIL' ? RCODES.SERVFAIL : RCODES.none;
}

function toResponse(query: Buffer, zone: NameServer['zone']): Buffer {
  const { name, type, end } = readQuestion(query);
  const answer = zone[name.toLowerCase()];
  const addresses = typeof answer === 'object' && type === TYPE_A ? answer : [];
  const head = Buffer.from(query.subarray(0, end));
  // A response, recursion available; no more than the question and the answers.
  head.writeUInt16BE(0x8180 | toCode(answer), 2);
  head.writeUInt16BE(addresses.length, 6);
  head.writeUInt32BE(0, 8);
  const records = addresses.map((one) => {
    const record = Buffer.from([0xc0, HEADER, 0, TYPE_A, 0, 1, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0]);
    record.writeUInt32BE(TTL_S, 6);
    Buffer.from(one.split('.').map(Number)).copy(record, 12);
    return record;
  });
  return Buffer.concat([head, ...records]);
}

function readQuestion(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = HEADER;
  for (let size = query[at] ?? 0; size > 0; size = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + size));
    at += size + 1;
  }
  return { name: labels.join('.'), type: query.readUInt16BE(at + 1), end: at + 5 };
}
