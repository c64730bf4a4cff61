import type { Harness } from '../../harness/index.js';
import { type Case, type Observed, OK, request, WAYS, type Way } from './case.js';
import { comparable } from './compare.js';
import type { SharedMesh } from './mesh.js';
import { PORTS } from './ports.js';
import { type RawAnswers, rawCall } from './raw-client.js';
import { type Recorder, startRecorder } from './recorder.js';

type AnyWay = Way | 'direct';

/** Every case by every way, and what was seen at both ends. */
export class Http1Walk {
  readonly #seen = new Map<string, Observed>();

  private constructor(
    private readonly shared: SharedMesh,
    private readonly recorders: ReadonlyMap<string, Recorder>,
  ) {}

  static async start(shared: SharedMesh, harness: Harness): Promise<Http1Walk> {
    const recorders = new Map<string, Recorder>();
    for (const way of ['direct', ...WAYS] as const) {
      for (const port of [PORTS.open, PORTS.case]) {
        const recorder = await startRecorder(shared.application(way, port));
        harness.defer(`recorder ${way}`, () => recorder.close());
        recorders.set(`${way} ${port}`, recorder);
      }
    }
    return new Http1Walk(shared, recorders);
  }

  /** The cases one after the other, the ways at the same time. */
  async walk(cases: readonly Case[]): Promise<void> {
    await Promise.all(
      (['direct', ...WAYS] as const).map(async (way) => {
        for (const one of cases) this.#seen.set(`${way} ${one.name}`, await this.#run(way, one));
      }),
    );
  }

  seen(way: AnyWay, name: string): Observed {
    const observed = this.#seen.get(`${way} ${name}`);
    if (observed === undefined) throw new Error('not walked');
    return observed;
  }

  /** The headers of one request as the application got them. */
  async arrived(way: Way, headers: readonly string[]): Promise<readonly string[]> {
    const { requests } = await this.exchange(way, request('GET /', headers));
    return requests[0]?.headers ?? [];
  }

  /** One request and its answer, as they arrived; the request once more where it is tried again. */
  async exchange(way: Way, sent: string, answered = OK): Promise<Omit<Observed, 'tunnelled'>> {
    const recorder = this.#recorder(way, PORTS.open);
    const answer = [{ on: 'request' as const }, { send: answered }];
    recorder.play({ answers: [answer, answer, answer, answer] });
    const methods = [sent.split(' ')[0] ?? ''];
    const called = await this.shared.called(way, PORTS.open);
    const { answers, cut } = await rawCall({ ...called, send: [sent], methods });
    return { requests: recorder.requests, answers, cut };
  }

  /**
   * The statuses of a call that is under way while another is made on the same connection between
   * the sidecars, and of that one.
   */
  async beside(way: Way, other: Pick<Case, 'send' | 'answers'>): Promise<readonly string[]> {
    const recorder = this.#recorder(way, PORTS.open);
    recorder.play({ answers: [HELD, ...other.answers] });
    const called = await this.shared.called(way, PORTS.open);
    let met: readonly string[] = [];
    const held = await rawCall({
      ...called,
      send: [
        request('POST /held', ['expect: 100-continue', 'content-length: 4']),
        { until: ' 100 ' },
        async () => {
          met = statuses(await rawCall({ ...called, send: other.send, methods: ['GET'] }));
        },
        'body',
      ],
      methods: ['POST'],
    });
    return [...statuses(held), ...met];
  }

  async #run(way: AnyWay, one: Case): Promise<Observed> {
    const port = PORTS[one.port ?? 'open'];
    const recorder = this.#recorder(way, port);
    recorder.play({ answers: one.answers });
    const { send, methods } = one;
    const called = await this.shared.called(way, port);
    const { answers, ...rest } = await rawCall({ ...called, ...{ send, methods }, ...tunnel(one) });
    const { requests, tunnelled: sent } = recorder;
    const tunnelled = { sent, received: rest.tunnelled };
    return comparable({ requests, answers, tunnelled, cut: rest.cut }, one.port === 'case');
  }

  #recorder(way: AnyWay, port: number): Recorder {
    const recorder = this.recorders.get(`${way} ${port}`);
    if (recorder === undefined) throw new Error(`no application for ${way}`);
    return recorder;
  }
}

const HELD: Case['answers'][number] = [
  { on: 'head' },
  { send: 'HTTP/1.1 100 Continue\r\n\r\n' },
  { on: 'request' },
  { send: OK },
];

function statuses({ answers, cut }: RawAnswers): string[] {
  const all = answers.map(({ start }) => start.split(' ')[1] ?? '');
  return cut ? [...all, 'cut'] : all;
}

function tunnel({ tunnelled }: Case): Pick<Case, 'tunnelled'> {
  return tunnelled === undefined ? {} : { tunnelled };
}
