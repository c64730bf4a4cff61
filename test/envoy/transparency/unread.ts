import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import {
  type ClientHttp2Session,
  connect as connectHttp2,
  createServer as createHttp2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { describe, expect, test } from 'vitest';
import type { EnvoyProcess } from '../../../src/demo/envoy-process.js';
import { httpCall } from '../../../src/demo/http-client.js';
import { eventually } from '../../../src/demo/wait.js';
import type { Harness } from '../../harness/index.js';
import type { SharedMesh } from './mesh.js';
import { UNREAD } from './ports.js';

// Streams that nobody reads stall no other (decision 023), and what they hold is bounded.
const BODY = Buffer.alloc(64 * 1024, 'b');
const CHUNK = Buffer.concat([
  Buffer.from(`${BODY.length.toString(16)}\r\n`),
  BODY,
  Buffer.from('\r\n'),
]);
const CALL_MS = 2_000;
/** Envoy's own windows stall a third call at 2. */
const STREAMS = 64;
/** Of both sidecars together, for so many streams. */
const MOST_MB = 96;

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;

/** An application that answers without end, doesn't read, or echoes; and clients of that kind. */
export class Unread {
  readonly #opened: { destroy(): void }[] = [];
  #begun = 0;

  private constructor(private readonly shared: SharedMesh) {}

  static async start(shared: SharedMesh, harness: Harness): Promise<Unread> {
    const unread = new Unread(shared);
    for (const port of Object.values(UNREAD)) {
      const at = shared.mesh.service('app').apps.get(port);
      const serve = (request: Request, response: Response): void => {
        unread.#serve(request, response);
      };
      const server = port === UNREAD.http ? createServer(serve) : createHttp2Server(serve);
      server.on('connection', (socket: Socket) => unread.#open(socket));
      server.on('sessionError', () => undefined);
      await new Promise<void>((resolve) => server.listen(at?.port, at?.address, resolve));
      harness.defer('application', () => {
        unread.cut();
        server.close();
      });
    }
    return unread;
  }

  /** Ends all that is open. */
  cut(): void {
    for (const one of this.#opened.splice(0)) one.destroy();
  }

  /** Opens so many of them and waits until the sidecars take no more. */
  async stall(port: number, path: string): Promise<void> {
    const before = this.#begun;
    for (let n = 0; n < STREAMS; n++) await this.#unread(port, path);
    await eventually(() => this.#begun - before === STREAMS, {
      what: 'the application to see all',
    });
    let last = -1;
    await eventually(
      async () => {
        const bytes = (await bytesOf(this.shared.web)) + (await bytesOf(this.shared.app));
        const isStill = bytes === last;
        last = bytes;
        return isStill;
      },
      { what: 'the streams to stall', intervalMs: 150, timeoutMs: 30_000 },
    );
  }

  async call(port: number): Promise<void> {
    const body = 'b'.repeat(300_000);
    const to = { address: this.shared.outbound, port, method: 'POST', path: '/echo' };
    const answer = await httpCall({ ...to, body, timeoutMs: CALL_MS });
    expect(answer.status).toBe(200);
    expect(answer.body.length).toBe(body.length);
  }

  /** Of both sidecars. */
  async memoryMb(): Promise<number> {
    return (await rssOf(this.shared.web)) + (await rssOf(this.shared.app));
  }

  /** From web's application, whose own window is too small for what comes. */
  channel(): ClientHttp2Session {
    return this.#open(connectHttp2(`http://${this.shared.outbound}:${UNREAD.http2}`));
  }

  /** By certificate at the declared port, with a connection window that nothing fills. */
  async secureChannel(): Promise<ClientHttp2Session> {
    const { key, cert, ca } = await this.shared.mesh.certificate('web');
    const { address } = this.shared.mesh.service('app');
    const socket = connectTls({
      ...{ host: address, port: UNREAD.http2, key, cert, ca },
      ALPNProtocols: ['h2'],
      checkServerIdentity: () => undefined,
    });
    await new Promise((resolve) => socket.once('secureConnect', resolve));
    const settings = { initialWindowSize: 1_000_000 };
    const session = connectHttp2(`https://${address}`, {
      createConnection: () => socket,
      settings,
    });
    session.setLocalWindowSize(100_000_000);
    return this.#open(session);
  }

  #open<T extends Socket | ClientHttp2Session>(one: T): T {
    this.#opened.push(one);
    (one as Socket).on('error', () => undefined);
    return one;
  }

  #serve(request: Request, response: Response): void {
    this.#begun++;
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    if (request.url === '/unread') return;
    if (request.url === '/endless') pour(response as ServerResponse, BODY);
    else (request as IncomingMessage).pipe(response as ServerResponse);
  }

  /** A client that sends and never reads. */
  async #unread(port: number, path: string): Promise<void> {
    const socket = this.#open(connect({ host: this.shared.outbound, port }));
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.pause();
    if (path === '/endless') {
      socket.write(`GET ${path} HTTP/1.1\r\nhost: app\r\n\r\n`);
      return;
    }
    socket.write(`POST ${path} HTTP/1.1\r\nhost: app\r\ntransfer-encoding: chunked\r\n\r\n`);
    pour(socket, CHUNK);
  }
}

/** As fast as it is taken, without end. */
function pour(to: NodeJS.WritableStream, bytes: Buffer): void {
  const more = (): void => {
    while (to.write(bytes)) {
      // Until nobody takes any more.
    }
  };
  to.on('drain', more);
  more();
}

async function bytesOf(envoy: EnvoyProcess): Promise<number> {
  const text = await envoy.admin.statsText();
  return [...text.matchAll(/upstream_cx_(?:rx|tx)_bytes_total: (\d+)/g)]
    .map(([, count]) => Number(count))
    .reduce((sum, count) => sum + count, 0);
}

async function rssOf({ process: { pid } }: EnvoyProcess): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(text)?.[1]) / 1024;
}

async function endless(session: ClientHttp2Session, count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    const stream = session.request({ ':path': '/endless' });
    stream.on('error', () => undefined);
    await new Promise((resolve) => stream.once('response', resolve));
  }
}

function echo(session: ClientHttp2Session, body: string): Promise<number> {
  return new Promise<number>((resolve, reject) => {
    const stream = session.request({ ':path': '/echo', ':method': 'POST' });
    let length = 0;
    stream.on('data', (bytes: Buffer) => {
      length += bytes.length;
    });
    stream.on('end', () => resolve(length));
    stream.on('error', reject);
    stream.end(body);
  });
}

export function unreadTests(unread: () => Unread): void {
  describe.each([
    ['downloads', '/endless'],
    ['uploads', '/unread'],
  ])('%s', (_what, path) => {
    test.each(Object.entries(UNREAD))(
      'of an %s application delay no other call between the same two sidecars',
      async (_protocol, port) => {
        const before = await unread().memoryMb();
        await unread().stall(port, path);
        for (let n = 0; n < 5; n++) await unread().call(port);
        expect((await unread().memoryMb()) - before).toBeLessThan(MOST_MB);
      },
      60_000,
    );
  });

  test('a call beside a channel with unread streams is not delayed either', async () => {
    await endless(unread().channel(), 2);
    await unread().call(UNREAD.http2);
  });

  test('downloads by certificate at the declared port delay no other call there', async () => {
    const session = await unread().secureChannel();
    await endless(session, 8);
    expect(await echo(session, 'b'.repeat(100_000))).toBe(100_000);
  });
}
