// Protocol scripts: what one client says and what it must hear, as text. The same scripts run on
// the reducer and over real gRPC (test/grpc); a backend only has to carry requests and hand over
// responses.
//
//   set cds:a@1,b@1 eds:a@2     the snapshot from now on (types that aren't named are empty)
//   > cds                       a request; SotW: the names are the whole list; delta: +name, -name
//   > eds a b claims a@1        first request after a reconnect: what the client holds
//   > cds ack 1   > cds nack 1 because      an answer to (our) response 1
//   > cds nonce 9               a made-up nonce
//   < cds 2 a@1 b@1 -gone       the next response: number, resources, names taken away
//   set rtds:a@1~15             ~: its TTL in seconds, a part of the version
//   set lds:l@1>a+eds.b         >: what it refers to, clusters or others; a part of the version too
//   < rtds 2 ~a                 a heartbeat: a resource without its body
//   < vhds 1 ?r/x              a name that does not exist: a resource of that alias, without a body
//   await eds x | answer eds x  x is being made: nothing is said of it until the answer
//   < nothing                   no response is under way
//   < fail resource-limit       the stream ended with that error
//   alarm                       five seconds go by: a response's time, a third of a TTL of 15 s
//   ? synced | ? not synced | ? nacked cds a b | ? force cds a@1 | ? not force cds a@1
import assert from 'node:assert/strict';
import {
  createResource,
  createResourceSet,
  type Interest,
  type Request,
  type Resource,
  type ResourceRef,
  rejectionOf,
  type Snapshot,
  TYPE_URLS,
  type TypeReport,
  type Variant,
} from '../../src/xds/index.js';

export const SHORT: Readonly<Record<string, string>> = {
  cds: TYPE_URLS.cluster,
  eds: TYPE_URLS.endpoint,
  lds: TYPE_URLS.listener,
  rds: TYPE_URLS.route,
  sds: TYPE_URLS.secret,
  ecds: TYPE_URLS.extension,
  srds: TYPE_URLS.scopedRoute,
  vhds: TYPE_URLS.virtualHost,
  /** Any other type; `-` is none. */
  rtds: 'type.googleapis.com/envoy.service.runtime.v3.Runtime',
  '-': '',
};

export interface Script {
  readonly name: string;
  readonly variant: Variant;
  /** A stream of this one type; without it ADS. */
  readonly only?: string;
  readonly lines: string;
}

/** A response as a script writes it: resources as `name@version`, sorted. */
export interface Heard {
  readonly typeUrl: string;
  readonly nonce: string;
  readonly resources: readonly string[];
  readonly removed: readonly string[];
}

export interface Backend {
  setSnapshot(snapshot: Snapshot): Promise<void>;
  send(request: Request): Promise<void>;
  /** The next response; undefined where nothing is under way. */
  next(): Promise<Heard | undefined>;
  /** The error code that the stream ended with. */
  failure(): Promise<string | undefined>;
  /** Says nothing of a name that doesn't exist until what is returned was called. */
  defer(wanted: ResourceRef): () => void;
  /** Lets five seconds pass. */
  alarm(): Promise<void>;
  state(): readonly TypeReport[];
  isSynced(): boolean;
  isInForce(resource: { typeUrl: string; name: string; version: string }): boolean;
  close(): Promise<void>;
}

const known = new Map<string, Resource>();

/** `a@1`: resource a, at version 1; its bytes are that text. */
export function toResource(text: string): Resource {
  const resource = known.get(text);
  if (resource !== undefined) return resource;
  const [name = '', version = ''] = text.split('@');
  const [, ttl, list] = /^[^~>]*(?:~(\d+))?(?:>(.*))?$/.exec(version) ?? [];
  const ttlMs = ttl === undefined ? undefined : Number(ttl) * 1_000;
  const references = list?.split('+').map(toReference);
  const created = createResource({ name, version, value: Buffer.from(text), ttlMs, references });
  known.set(text, created);
  return created;
}

/** `eds.a`, or `a` for a cluster. */
function toReference(text: string): ResourceRef {
  const [name = '', short = 'cds'] = text.split('.').reverse();
  return { typeUrl: toTypeUrl(short), name };
}

export function toSnapshot(words: readonly string[]): Snapshot {
  return new Map(
    words.map((word) => {
      const [type = '', list = ''] = word.split(/:(.*)/s);
      return [toTypeUrl(type), createResourceSet(list.split(',').filter(Boolean).map(toResource))];
    }),
  );
}

function toTypeUrl(short: string): string {
  const typeUrl = SHORT[short];
  assert(typeUrl !== undefined, `no type is called "${short}"`);
  return typeUrl;
}

export async function runScript(script: Script, backend: Backend): Promise<void> {
  const lines = script.lines.split('\n').map((line) => line.trim());
  const used = lines.filter((line) => line !== '' && !line.startsWith('#'));
  assert(used.length > 0, 'expected a script with lines');
  const runner = new Runner(script.variant, backend);
  try {
    for (const line of used) await runner.run(line);
    await runner.run('< nothing');
  } finally {
    await backend.close();
  }
}

class Runner {
  readonly #variant: Variant;
  readonly #backend: Backend;
  /** By number in the script: the nonce that was really sent. */
  readonly #nonces: string[] = [];
  readonly #deferred = new Map<string, () => void>();

  constructor(variant: Variant, backend: Backend) {
    this.#variant = variant;
    this.#backend = backend;
  }

  async run(line: string): Promise<void> {
    const [verb, ...words] = line.split(/\s+/);
    if (verb === 'set') await this.#backend.setSnapshot(toSnapshot(words));
    else if (verb === '>') await this.#backend.send(this.#toRequest(words));
    else if (verb === '<') await this.#expect(words, line);
    else if (verb === 'await') this.#await(words);
    else if (verb === 'answer') this.#deferred.get(words.join(' '))?.();
    else if (verb === 'alarm') await this.#backend.alarm();
    else if (verb === '?') this.#check(words, line);
    else assert.fail(`not a line of a script: ${line}`);
  }

  #await(words: readonly string[]): void {
    const [short = '', name = ''] = words;
    const wanted = { typeUrl: toTypeUrl(short), name };
    this.#deferred.set(words.join(' '), this.#backend.defer(wanted));
  }

  #toRequest([short = '', ...words]: readonly string[]): Request {
    const rest = [...words];
    let nonce = '';
    let error: Request['error'];
    const verb = rest[0];
    if (verb === 'ack' || verb === 'nack' || verb === 'nonce') {
      const number = rest[1] ?? '';
      nonce = verb === 'nonce' ? number : (this.#nonces[Number(number) - 1] ?? 'unknown');
      rest.splice(0, 2);
    }
    if (verb === 'nack')
      error = { code: 3, message: (rest.splice(0, 1)[0] ?? '').replaceAll('_', ' ') };
    const interest = this.#toInterest(rest);
    const typeUrl = toTypeUrl(short);
    return error === undefined ? { typeUrl, nonce, interest } : { typeUrl, nonce, interest, error };
  }

  #toInterest(words: readonly string[]): Interest {
    const at = words.indexOf('claims');
    const names = at === -1 ? words : words.slice(0, at);
    const claims = (at === -1 ? [] : words.slice(at + 1)).map(toResource);
    if (this.#variant === 'sotw') {
      const versionInfo = at === -1 ? '' : createResourceSet(claims).version;
      return { variant: 'sotw', names, versionInfo };
    }
    const marked = (mark: string): readonly string[] =>
      names.filter((name) => name.startsWith(mark)).map((name) => name.slice(1));
    return {
      variant: 'delta',
      subscribe: marked('+'),
      unsubscribe: marked('-'),
      initialVersions: new Map(claims.map(({ name, version }) => [name, version])),
    };
  }

  async #expect(words: readonly string[], line: string): Promise<void> {
    if (words[0] === 'fail') {
      assert.equal(await this.#backend.failure(), words[1], line);
      return;
    }
    const heard = await this.#backend.next();
    if (words[0] === 'nothing') {
      assert.deepEqual(heard, undefined, line);
      return;
    }
    assert(heard !== undefined, `expected "${line}" but got nothing`);
    this.#nonces.push(heard.nonce);
    const [short, number, ...content] = words;
    assert.deepEqual(
      { ...heard, nonce: String(this.#nonces.length) },
      {
        typeUrl: toTypeUrl(short ?? ''),
        nonce: number,
        resources: content.filter((word) => !word.startsWith('-')).sort(),
        removed: content.flatMap((word) => (word.startsWith('-') ? [word.slice(1)] : [])).sort(),
      },
      line,
    );
  }

  #check(words: readonly string[], line: string): void {
    const negated = words[0] === 'not';
    const [what, ...rest] = negated ? words.slice(1) : words;
    if (what === 'synced') assert.equal(this.#backend.isSynced(), !negated, line);
    else if (what === 'nacked') this.#checkNack(rest, line);
    else if (what === 'force') {
      const { name, version } = toResource(rest[1] ?? '');
      const resource = { typeUrl: toTypeUrl(rest[0] ?? ''), name, version };
      assert.equal(this.#backend.isInForce(resource), !negated, line);
    } else assert.fail(`not a check: ${line}`);
  }

  #checkNack([short = '', ...names]: readonly string[], line: string): void {
    const report = this.#backend.state().find(({ typeUrl }) => typeUrl === toTypeUrl(short));
    const rejected =
      report === undefined ? [] : (rejectionOf(report)?.resources ?? []).map(({ name }) => name);
    assert.deepEqual([...rejected].sort(), [...names].sort(), line);
  }
}
