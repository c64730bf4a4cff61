import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isDeepStrictEqual } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import type { EnvoyProcess } from '../../src/demo/envoy-process.js';
import { type HttpAnswer, httpCall } from '../../src/demo/http-client.js';
import { httpShot } from '../../src/demo/load-shots.js';
import { describeEnvoy, eventually, type Harness, useHarness } from '../harness/index.js';
import { startMesh, type TestMesh, type TestService } from '../harness/start-mesh.js';

// Applications that are down, closing or unwell while their sidecars are there: callers go round
// them, and nothing that an application may have seen is done twice where that isn't safe.
const PORTS = {
  two: 8080,
  late: 8081,
  own: 8082,
  closing: 8083,
  health: 8084,
  shown: 8085,
} as const;
const UNREACHED = 'x-countersign-unreached';

type Place = { readonly address: string; readonly port: number };

const toMesh = (service: (name: string) => TestService): string => {
  const target = (port: number): string => {
    const { address, port: number } = placeOf(service, port);
    return `protocol: http, target: "${address}:${number}"`;
  };
  const closing = placeOf(service, PORTS.closing);
  return `
trustDomain: test.example
services:
  web: {}
  app:
    ports:
      ${PORTS.two}: { ${target(PORTS.two)} }
      ${PORTS.late}: { ${target(PORTS.late)} }
      ${PORTS.own}: { ${target(PORTS.own)} }
      ${PORTS.closing}: { ${target(PORTS.closing)} }
      ${PORTS.health}: { ${target(PORTS.health)}, health: { path: /healthz } }
      ${PORTS.shown}: { ${target(PORTS.shown)}, health: { path: /healthz } }
  bare:
    sidecar: false
    endpoints: ["${closing.address}:${closing.port}"]
    ports: { ${PORTS.closing}: http }
`;
};

function placeOf(service: (name: string) => TestService, port: number): Place {
  const place = service('app').apps.get(port);
  if (place === undefined) throw new Error(`no application at ${port}`);
  return place;
}

await describeEnvoy('applications that are not well', {}, ({ binary }) => {
  const harness = useHarness('unwell');
  let unwell: Unwell;

  beforeAll(async () => {
    unwell = await Unwell.start(harness, binary);
  }, 60_000);

  downTests(() => unwell);
  closingTests(() => unwell);
  healthTests(() => unwell);
});

/** A caller, and two instances, of which one has no application at `PORTS.two`. */
class Unwell {
  private constructor(
    private readonly harness: Harness,
    readonly mesh: TestMesh,
    readonly web: EnvoyProcess,
    readonly broken: EnvoyProcess,
    readonly outbound: string,
  ) {}

  static async start(harness: Harness, binary: string): Promise<Unwell> {
    const app = Object.values(PORTS).map((port) => ({
      port,
      kind: port === PORTS.two ? ('http' as const) : ('own' as const),
    }));
    const mesh = await startMesh(harness, { binary, services: { web: [], app }, mesh: toMesh });
    const pool = await harness.addresses();
    const nobody = pool.address();
    const [web, broken] = await Promise.all([
      mesh.sidecar('web'),
      mesh.sidecar('app', {
        ...{ instance: 'broken', address: pool.address(), outbound: pool.block() },
        application: { declared: PORTS.two, address: nobody, port: await pool.port(nobody) },
      }),
      mesh.sidecar('app', { instance: 'good' }),
    ]);
    expect(await mesh.wait()).toMatchObject({ inForce: true });
    return new Unwell(harness, mesh, web, broken, await mesh.outboundAddress('web', 'app'));
  }

  /** Where callers without a sidecar call. */
  get declared(): string {
    return this.mesh.service('app').address;
  }

  post(port: number, address = this.outbound): Promise<HttpAnswer> {
    return httpCall({ address, port, method: 'POST', body: 'x' });
  }

  serve(port: number, serve: Serve): Promise<Application> {
    return startApplication(this.harness, placeOf(this.mesh.service, port), serve);
  }

  /** The answers of so many calls. */
  async load(port: number, total: number): Promise<Readonly<Record<string, number>>> {
    const to = { address: this.outbound, port, method: 'POST', body: 'x' };
    const load = this.harness.load({ shot: httpShot(to, 'per-request'), total });
    const { failures, answers } = await load.done;
    return { ...answers, ...(failures === 0 ? {} : { failures }) };
  }

  /** How many instances the caller has left out of a port, ever. */
  ejections(port: number): Promise<number> {
    const stat = `cluster.app_${port}.outlier_detection.ejections_enforced_total`;
    return this.web.admin.stat(stat);
  }
}

function healthTests(get: () => Unwell): void {
  test('one that its health check finds unwell gets no calls until it is well', async () => {
    let well = true;
    const app = await get().serve(PORTS.health, ({ url }, response) => {
      response.writeHead(url === '/healthz' && !well ? 503 : 200).end();
    });
    const calls = () => app.seen.filter((one) => one === 'POST /').length;
    const become = (status: number) =>
      eventually(async () => (await get().post(PORTS.health)).status === status, {
        what: `answer ${status}`,
        intervalMs: 100,
      });
    await become(200);
    well = false;
    await become(503);
    const before = calls();
    const plain = await get().post(PORTS.health, get().declared);
    expect(plain.headers).toMatchObject({ [UNREACHED]: 'true' });
    expect(plain.status).toBe(503);
    expect(calls()).toBe(before);
    well = true;
    await become(200);
  });

  test('one that is down or says it is unwell is shown in status until it is well', async () => {
    const shown = async (): Promise<readonly string[]> => {
      const { proxies } = await get().mesh.status();
      return proxies.flatMap(({ node, unwell: ports }) =>
        ports.flatMap(({ port, since }) =>
          port === PORTS.shown && Date.parse(since) > 0 ? [node] : [],
        ),
      );
    };
    const become = (...nodes: string[]) =>
      eventually(async () => isDeepStrictEqual(await shown(), nodes), {
        what: `unwell: ${nodes}`,
        intervalMs: 100,
      });
    const all = ['app~broken', 'app~good'];
    await become(...all);
    let well = true;
    const sources = new Set<string | undefined>();
    await get().serve(PORTS.shown, ({ socket }, response) => {
      sources.add(socket.remoteAddress);
      response.writeHead(well ? 200 : 503).end();
    });
    await become();
    well = false;
    await become(...all);
    expect(sources).toEqual(new Set(['127.0.0.6']));
    // Another server knows nothing, and hears of it too.
    await get().mesh.stop();
    await get().mesh.start();
    await become(...all);
    expect((await get().mesh.wait()).inForce).toBe(true);
  });
}

function downTests(get: () => Unwell): void {
  test('an instance whose application is down costs no request, and loses its share', async () => {
    const { broken } = get();
    const reached = () => broken.admin.stat(`http.inbound_${PORTS.two}.downstream_rq_5xx`);
    await eventually(
      async () => {
        const before = await reached();
        expect(await get().load(PORTS.two, 50)).toEqual({ 200: 50 });
        // It had half of them otherwise.
        return before > 0 && (await reached()) === before;
      },
      { what: 'the instance to be left out' },
    );
    expect(await get().ejections(PORTS.two)).toBeGreaterThan(0);
  });

  test('a service none of whose applications is up is called at once when one is', async () => {
    for (let n = 0; n < 8; n++) {
      const { status, headers } = await get().post(PORTS.late);
      expect(status).toBe(503);
      expect(headers).not.toHaveProperty(UNREACHED);
    }
    const app = await get().serve(PORTS.late, (_request, response) => response.end());
    expect((await get().post(PORTS.late)).status).toBe(200);
    expect(app.seen).toEqual(['POST /']);
  });

  test("an application's own 503 is its answer: nobody tries again, or leaves it out", async () => {
    const app = await get().serve(PORTS.own, (_request, response) => {
      response.writeHead(503, { [UNREACHED]: 'true', 'x-own': '1' }).end('own');
    });
    for (let n = 1; n <= 10; n++) {
      const { status, headers, body } = await get().post(PORTS.own);
      expect({ status, body }).toEqual({ status: 503, body: 'own' });
      expect(headers).toHaveProperty('x-own');
      expect(headers).not.toHaveProperty(UNREACHED);
      expect(app.seen).toHaveLength(n);
    }
    expect(await get().ejections(PORTS.own)).toBe(0);
  });
}

function closingTests(get: () => Unwell): void {
  describe('an application that closes an idle connection as a request comes', () => {
    let app: Application;

    beforeAll(async () => {
      // Each connection serves one request, and says nothing of that.
      const served = new WeakSet<object>();
      app = await get().serve(PORTS.closing, ({ socket }, response) => {
        if (served.has(socket)) socket.destroy();
        else response.end();
        served.add(socket);
      });
    });

    test.each([
      ['through two sidecars', () => get().outbound],
      ['in plain text', () => get().declared],
      ['without a sidecar of its own', () => get().mesh.outboundAddress('web', 'bare')],
    ])('costs no 503 where a retry is safe, %s', async (_way, toAddress) => {
      const address = await toAddress();
      app.seen.splice(0);
      for (let n = 0; n < 6; n++) {
        expect((await httpCall({ address, port: PORTS.closing })).status).toBe(200);
      }
      expect(app.seen.length).toBeGreaterThan(6);
      app.seen.splice(0);
      const statuses = new Set<number>();
      for (let n = 1; n <= 4; n++) {
        statuses.add((await get().post(PORTS.closing, address)).status);
        expect(app.seen).toHaveLength(n);
      }
      expect(statuses).toEqual(new Set([200, 503]));
    });
  });
}

type Serve = (request: IncomingMessage, response: ServerResponse) => void;

interface Application {
  /** `POST /`, in order. */
  readonly seen: string[];
}

async function startApplication(
  harness: Harness,
  { address, port }: Place,
  serve: Serve,
): Promise<Application> {
  const seen: string[] = [];
  const server: Server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    request.resume();
    serve(request, response);
  });
  await new Promise<void>((resolve) => server.listen(port, address, resolve));
  harness.defer('application', () => {
    server.closeAllConnections();
    server.close();
  });
  return { seen };
}
