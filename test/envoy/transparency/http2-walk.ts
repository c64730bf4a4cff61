import {
  type ClientHttp2Session,
  connect,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { withDeadline } from '../../../src/demo/wait.js';
import type { Harness } from '../../harness/index.js';
import { WAYS, type Way } from './case.js';
import type { Sent } from './http2-cases.js';
import type { Place, SharedMesh } from './mesh.js';
import { PORTS } from './ports.js';

type AnyWay = Way | 'direct';

/** What sidecars add, and what the client's own connection says. */
const ADDED = ['x-forwarded-proto', 'x-forwarded-client-cert', ':scheme'];
const LIMITS = { maxSendHeaderBlockLength: 10_000_000, maxHeaderListPairs: 10_000 };
const SETTINGS = { maxHeaderListSize: 10_000_000 };

interface Seen {
  readonly request: object | undefined;
  readonly answer: object;
}

/** Every case of HTTP/2 by every way, and what was seen at both ends. */
export class Http2Walk {
  readonly #seen = new Map<string, Seen>();

  private constructor(
    private readonly shared: SharedMesh,
    private readonly harness: Harness,
    private readonly apps: ReadonlyMap<AnyWay, App>,
  ) {}

  static async start(shared: SharedMesh, harness: Harness): Promise<Http2Walk> {
    const apps = new Map<AnyWay, App>();
    for (const way of ['direct', ...WAYS] as const) {
      const app = await startApp(shared.application(way, PORTS.grpc));
      harness.defer(`application ${way}`, () => app.close());
      apps.set(way, app);
    }
    return new Http2Walk(shared, harness, apps);
  }

  async walk(cases: readonly Sent[]): Promise<void> {
    await Promise.all(
      (['direct', ...WAYS] as const).map(async (way) => {
        const session = await this.open(way);
        const app = this.app(way);
        for (const one of cases) {
          app.play(one.answer);
          const answer = await call(session, one);
          this.#seen.set(`${way} ${one.name}`, { request: app.request(), answer });
        }
      }),
    );
  }

  seen(way: AnyWay, name: string): Seen {
    const seen = this.#seen.get(`${way} ${name}`);
    if (seen === undefined) throw new Error('not walked');
    return seen;
  }

  app(way: AnyWay): App {
    const app = this.apps.get(way);
    if (app === undefined) throw new Error(`no application for ${way}`);
    return app;
  }

  async open(way: AnyWay): Promise<ClientHttp2Session> {
    const { address, port, tls } = await this.shared.called(way, PORTS.grpc);
    const options = { settings: SETTINGS, ...LIMITS };
    const session =
      tls === undefined
        ? connect(`http://${address}:${port}`, options)
        : connect(`https://${address}`, {
            ...options,
            createConnection: await toSecure({ host: address, port, ...tls }),
          });
    session.on('error', () => undefined);
    this.harness.defer('session', () => session.destroy());
    return session;
  }
}

async function toSecure(to: ConnectionOptions) {
  const socket = connectTls({ ...to, ALPNProtocols: ['h2'] });
  await new Promise((resolve, reject) => {
    socket.once('secureConnect', resolve);
    socket.once('error', reject);
  });
  return () => socket;
}

type Answer = (stream: ServerHttp2Stream) => void;

interface App {
  play(answer?: Answer): void;
  /** Holds the next call; once it is there, what answers it. */
  hold(): Promise<() => void>;
  request(): object | undefined;
  close(): void;
}

function plain(headers: IncomingHttpHeaders): object {
  const entries = Object.entries(headers).filter(
    ([name]) => !ADDED.includes(name) && name !== 'date',
  );
  return Object.fromEntries(entries);
}

const usual: Answer = (stream) => {
  stream.respond({ ':status': 200, 'x-own': '1' });
  stream.end('ok');
};

async function startApp(at: Place): Promise<App> {
  let answer: Answer = usual;
  let request: object | undefined;
  const server = createServer({ settings: SETTINGS, ...LIMITS } as object);
  const sessions = new Set<{ destroy(): void }>();
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', () => undefined);
  });
  server.on('stream', (stream, headers) => {
    const respond = answer;
    let body = '';
    let trailers: object = {};
    stream.on('error', () => undefined);
    stream.on('data', (bytes: Buffer) => {
      body += bytes.toString('latin1');
    });
    stream.on('trailers', (given) => {
      trailers = Object.fromEntries(Object.entries(given));
    });
    stream.on('end', () => {
      request = { headers: plain(headers), body, trailers };
      respond(stream);
    });
    stream.resume();
  });
  await new Promise<void>((resolve) => server.listen(at.port, at.address, resolve));
  return {
    play(given = usual) {
      answer = given;
      request = undefined;
    },
    hold: () =>
      new Promise((resolve) => {
        answer = (stream) => resolve(() => usual(stream));
      }),
    request: () => request,
    close() {
      for (const session of sessions) session.destroy();
      server.close();
    },
  };
}

export async function call(
  session: ClientHttp2Session,
  { headers, body, trailers }: Pick<Sent, 'headers' | 'body' | 'trailers'>,
): Promise<object> {
  return withDeadline({ what: 'an answer', timeoutMs: 4_000 }, async () => {
    const stream = session.request(
      { ':authority': 'app.example', ...headers } as Record<string, string>,
      { endStream: body === undefined, waitForTrailers: trailers !== undefined },
    );
    const interim: object[] = [];
    let answered: object | undefined;
    let ended: object = {};
    let text = '';
    stream.on('wantTrailers', () => stream.sendTrailers({ ...trailers }));
    stream.on('headers', (given: IncomingHttpHeaders) => interim.push(plain(given)));
    stream.on('response', (given: IncomingHttpHeaders) => {
      answered = plain(given);
    });
    stream.on('trailers', (given: IncomingHttpHeaders) => {
      ended = Object.fromEntries(Object.entries(given));
    });
    stream.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1');
    });
    if (body !== undefined) stream.end(body, 'latin1');
    return new Promise<object>((resolve) => {
      let error: string | undefined;
      stream.on('error', (failure) => {
        error = String(failure);
      });
      stream.on('close', () =>
        resolve(
          answered === undefined
            ? { error }
            : { headers: answered, interim, body: text, trailers: ended },
        ),
      );
    });
  }).catch((error: unknown) => ({ error: String(error) }));
}
