import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { withDeadline } from '../../../src/demo/wait.js';
import type { Harness } from '../../harness/index.js';
import { OK, request } from './case.js';
import type { SharedMesh } from './mesh.js';
import { LONG, PATHS } from './ports.js';
import { rawCall } from './raw-client.js';
import { type Recorder, startRecorder } from './recorder.js';

// Ports whose rules look at paths: no spelling of a path walks around a rule.

/** Calls of `app`'s ports in plain text and through the caller's sidecar. */
export class PathCalls {
  private constructor(
    readonly shared: SharedMesh,
    private readonly apps: ReadonlyMap<number, Recorder>,
  ) {}

  static async start(shared: SharedMesh, harness: Harness): Promise<PathCalls> {
    const apps = new Map<number, Recorder>();
    for (const port of Object.values(PATHS)) {
      const at = shared.mesh.service('app').apps.get(port);
      if (at === undefined) throw new Error(`no address for ${port}`);
      const recorder = await startRecorder(at);
      harness.defer('recorder', () => recorder.close());
      apps.set(port, recorder);
    }
    return new PathCalls(shared, apps);
  }

  ways(): readonly (readonly [way: string, address: string])[] {
    const { mesh, outbound } = this.shared;
    return [
      ['plain', mesh.service('app').address],
      ['mesh', outbound],
    ];
  }

  /** The application, ready to answer 200. */
  app(port: number): Recorder {
    const app = this.apps.get(port);
    if (app === undefined) throw new Error(`no application at ${port}`);
    app.play({ answers: [[{ on: 'request' }, { send: OK }]] });
    return app;
  }

  /** `200 /path as the application got it`, or the status. */
  async outcome(address: string, port: number, path: string): Promise<string> {
    const app = this.app(port);
    const send = [request(`GET ${path}`)];
    const { answers } = await rawCall({ address, port, send, methods: ['GET'] });
    const status = answers.at(-1)?.start.split(' ')[1] ?? 'cut';
    return status === '200' ? `200 ${app.requests.at(-1)?.start.split(' ')[1]}` : status;
  }
}

const EITHER: [path: string, outcome: string][] = [
  ['/v1/list', '200 /v1/list'],
  ['/v1', '200 /v1'],
  ['/v1//list', '200 /v1/list'],
  ['/v1/./list', '200 /v1/list'],
  ['/v1/x/../list', '200 /v1/list'],
  ['/v1/%61%41%30%2D%2E%5F%7E', '200 /v1/aA0-._~'],
  ['/v1/a%20b?x=//../%2F', '200 /v1/a%20b?x=//../%2F'],
  ['/v1/a?/../admin/', '200 /v1/a?/../admin/'],
  ['/items/7/price', '200 /items/7/price'],
  [`${LONG}x`, `200 ${LONG}x`],
  ['/v1/admin/users', '403'],
  ['/v1//admin/users', '403'],
  ['/v1/x/../admin/users', '403'],
  ['/v1/x/%2e%2e/admin/users', '403'],
  ['/v1/%61dmin/users', '403'],
  ['/v1/secret', '403'],
  ['//v1/secret', '403'],
  ['/v1/./secret', '403'],
  ['/v1/a/hidden/b', '403'],
  ['/v2', '403'],
  ['/v1/../v2', '403'],
];

/** Of paths that the rules of both ports take away, and of some that they don't. */
const SPELLINGS: [spelling: string, outcome: string][] = [
  ...[':', '%3A', '%3a'].map((colon): [string, string] => [`/v1/users${colon}reset`, '403']),
  ...[
    "/v1/a@,+=$!&'()b",
    '/v1/a%40%2C%2B%3D%24%21%26%27%28%29b',
    "/v1/a%40,%2b=%24!%26'(%29b",
    '/v1/caf%C3%A9',
    '/v1/caf%c3%a9',
    '/v1/caf%C3%a9',
    '/v1/%75sers%3Areset/',
    '/v1/users:reset/',
    '/v1/users:reset;v=1',
    '/v1/users:reset;',
    '/v1/users:reset%3Bv=1',
    '/v1;a=1/users%3areset;b?c=d',
    '/v1/;x/secret',
    '/;x/v1/secret',
    '/v1/secret//;x/',
    '/v1/x/;y/hidden/z',
    '/v1/list.bak',
    '/v1/list.bak;x',
    `${LONG}a%3ab`,
    `${LONG.replaceAll('segment', 'segment;x')}a:b`,
    '/v1/admin;x/users',
    '/v1;x/admin/users',
    '/v1/..;/v2',
    '/v1/..;x=1/admin',
    '/v1/.;/secret',
    '/v1/%2e%2e;/v2',
    '/v1/..%3B/v2',
    '/v1/x/..%3b',
  ].map((path): [string, string] => [path, '403']),
  ['/v1/users%253Areset', '200 /v1/users%253Areset'],
  ['/v1/users:resets', '200 /v1/users:resets'],
  ['/v1/users:reset/x', '200 /v1/users:reset/x'],
  ['/v1/caf%C3%A8', '200 /v1/caf%C3%A8'],
  ['/v1/a;b=1/list', '200 /v1/a;b=1/list'],
  ['/v1/;jsessionid=7', '200 /v1/;jsessionid=7'],
  ['/v1/a|b^c{d}"e', '200 /v1/a%7Cb%5Ec%7Bd%7D%22e'],
  ['/v1/caf\u00c3\u00a9', '400'],
];

const ESCAPED: [path: string, rejected: string, forwarded: string][] = [
  ['/v1/a%2Fb', '400', '200 /v1/a%2Fb'],
  ['/v1/a%5cb', '400', '200 /v1/a%5cb'],
  ['/items/a%2Fb/price', '400', '200 /items/a%2Fb/price'],
  ['/v1%2Fsecret', '400', '403'],
  ['/v1/%2Fsecret', '400', '403'],
  ['/v1%5csecret', '400', '403'],
  ['/v1%2F%2fsecret', '400', '403'],
  ['/v1/admin%2Fusers', '400', '403'],
  ['/v1%2fadmin%2fusers', '400', '403'],
  ['/v1/a%2Fhidden/b', '400', '403'],
  ['/v1/a/hidden%2Fb', '400', '403'],
  ['/v1/x%2F..%2Fsecret', '400', '403'],
  ['/v1/..%2Fv2', '400', '403'],
  ['/v1/x%2f%2e%2e%2fsecret', '400', '403'],
  ['/v1/x/..%5csecret', '400', '403'],
  ['/v1/x%2F./y', '400', '403'],
  ['/v2%2F..%2Fv1/list', '400', '403'],
];

export function pathTests(calls: () => PathCalls): void {
  test.each(EITHER)('%s is answered %s', async (path, wanted) => {
    for (const [way, address] of calls().ways()) {
      for (const port of [PATHS.looked, PATHS.forward]) {
        expect(await calls().outcome(address, port, path), `${way} ${port}`).toBe(wanted);
      }
    }
  });

  test.each(ESCAPED)(
    '%s: escaped slashes are answered %s, and %s where they are forwarded',
    async (path, rejected, forwarded) => {
      for (const [way, address] of calls().ways()) {
        expect(await calls().outcome(address, PATHS.looked, path), way).toBe(rejected);
        expect(await calls().outcome(address, PATHS.forward, path), way).toBe(forwarded);
      }
    },
  );

  test('what is sent after a refused upgrade is no request that rules have not seen', async () => {
    const upgrade = request('GET /v1/up', ['connection: Upgrade', 'upgrade: websocket']);
    for (const [way, address] of calls().ways()) {
      const app = calls().app(PATHS.looked);
      await rawCall({
        ...{ address, port: PATHS.looked },
        send: [upgrade, { until: '\r\n\r\n' }, request('GET /v1/secret')],
        methods: ['GET', 'GET'],
      });
      expect(
        app.requests.map(({ start }) => start),
        way,
      ).toEqual(['GET /v1/up HTTP/1.1']);
    }
  });

  test('new rules about paths hold on connections from before them', async () => {
    for (const [way, address] of calls().ways()) {
      await calls().shared.setRules('');
      const app = calls().app(PATHS.later);
      const connection = await Kept.open(address, PATHS.later);
      const statuses = [await connection.ask('/v2//a')];
      await calls().shared.setRules('        deny: [ { paths: [/v1/secret] } ]');
      for (const path of ['/v1/x/../secret', '//v1/secret', '/v1/secret', '/v1/open']) {
        statuses.push(await connection.ask(path));
      }
      connection.close();
      expect(statuses, way).toEqual(['200', '403', '403', '403', '200']);
      expect(app.requests.map(({ start }) => start)).toEqual([
        'GET /v2//a HTTP/1.1',
        'GET /v1/open HTTP/1.1',
      ]);
    }
  }, 60_000);
}

export function spellingTests(calls: () => PathCalls): void {
  test('a path that a rule takes away is reached by no spelling of it', async () => {
    const wrong: string[] = [];
    for (const [way, address] of calls().ways()) {
      for (const port of [PATHS.looked, PATHS.forward]) {
        for (const [path, wanted] of SPELLINGS) {
          const got = await calls().outcome(address, port, path);
          if (got !== wanted) wrong.push(`${way} ${port} ${path}: ${got}, not ${wanted}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  }, 30_000);
}

/** A connection on which one request follows another. */
class Kept {
  #text = '';
  #heard = (): void => {};

  private constructor(private readonly socket: Socket) {
    socket.on('data', (bytes: Buffer) => {
      this.#text += bytes.toString('latin1');
      this.#heard();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => this.#heard());
  }

  static async open(host: string, port: number): Promise<Kept> {
    const socket = connect({ host, port });
    await new Promise((resolve) => socket.once('connect', resolve));
    return new Kept(socket);
  }

  /** The status of the answer. */
  ask(path: string): Promise<string> {
    this.#text = '';
    this.socket.write(request(`GET ${path}`), 'latin1');
    return withDeadline({ what: `an answer to ${path}`, timeoutMs: 5_000 }, async () => {
      await new Promise<void>((resolve) => {
        this.#heard = () => {
          if (this.#text.includes('\r\n\r\n') || this.socket.destroyed) resolve();
        };
        this.#heard();
      });
      return this.#text.split(' ')[1] ?? 'cut';
    });
  }

  close(): void {
    this.socket.destroy();
  }
}
