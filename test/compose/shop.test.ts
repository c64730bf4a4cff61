// Another's compose file, envoy-examples/09-compose-file-meshed, on a real engine: as it is, and
// then through `countersign compose`. Whatever worked goes on working, nothing that its services
// say to each other crosses a network in plain text, and under STRICT a stranger is refused
// everywhere, whatever crashes.
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/index.js';
import { eventually } from '../../src/demo/wait.js';
import { type Capture, startCapture } from './capture.js';
import { docker } from './docker.js';
import { startEngine, stopEngine } from './engine.js';
import { openShop, type Shop, STRANGER, sendStranger } from './shop.js';
import { isClosed, letIn } from './stranger.js';

/** Where the engine is ours: its folder. */
const OWN = process.env['COMPOSE_ENGINE'];
const FILES = 'docker-compose.yml:docker-compose.mesh.yml';
/** What its services say to each other, over HTTP, gRPC, PostgreSQL's protocol and Redis's. */
const SECRETS = ['lamp, table', 'packed_by', 'insert into orders', 'not-a-secret', 'BRPOP'];
const SERVICES = ['front', 'shop', 'admin', 'catalog', 'worker', 'migrate', 'db', 'queue'];
const NAMED = ['http/shop/3000', 'grpc/catalog/50051', 'postgres/db/5432', 'redis/queue/6379'];

let shop: Shop;
let before: Readonly<Record<string, string>>;

async function mesh(...flags: readonly string[]): Promise<string> {
  const { folder } = shop.project;
  const mount = ['--rm', '--volume', `${folder}:/work`, '--workdir', '/work', '--user', '0:0'];
  return docker('run', ...mount, 'countersign', 'compose', 'docker-compose.yml', ...flags);
}

function compose(...args: readonly string[]): Promise<string> {
  return shop.project.compose(...args);
}

/** Until all that its users do is done as it was without a mesh. */
async function works(): Promise<void> {
  const look = async (): Promise<void> => expect(await shop.useIt()).toEqual(before);
  await eventually(look, { what: 'the shop to work', timeoutMs: 90_000, intervalMs: 300 });
}

async function edit(change: (text: string) => string): Promise<void> {
  const path = join(shop.project.folder, 'mesh.yaml');
  const text = change(await readFile(path, 'utf8'));
  // As editors do it: another file under the same name.
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}

/** At its private network's address. */
async function applicationAddress(service: string): Promise<string> {
  const id = await shop.project.containerOf(service);
  const format =
    '{{range $name, $one := .NetworkSettings.Networks}}{{$name}}={{$one.IPAddress}} {{end}}';
  const printed = await docker('inspect', '--format', format, id);
  return new RegExp(`shop_${service}-private=(\\S+)`).exec(printed)?.[1] ?? '';
}

function now(): string {
  return new Date(systemClock.now()).toISOString();
}

const ADDRESSED = ['shop', 'catalog', 'db', 'queue'];

/** It tries every service by its name, and its application where that is now. */
async function sendToAll(): Promise<void> {
  const addresses = await Promise.all(ADDRESSED.map(applicationAddress));
  const own = NAMED.map((target, index) => target.replace(/\/\w+\//, `/${addresses[index]}/`));
  await sendStranger(shop, [...NAMED, ...own]);
}

async function startMesh(): Promise<void> {
  const said = await mesh();
  process.stdout.write(said);
  for (const service of SERVICES) expect(said).toMatch(new RegExp(`\n {2}${service} +fronted `));
  expect(said).toMatch(/left out:\n {2}statsd: /);
  shop.project.env['COMPOSE_FILE'] = FILES;
  const beganMs = systemClock.now();
  await compose('up', '--detach').catch(async (error: unknown) => {
    process.stderr.write(await compose('logs', '--tail', '20'));
    throw error;
  });
  await works();
  process.stdout.write(`meshed within ${systemClock.now() - beganMs} ms\n`);
  await sendToAll();
}

async function makeStrict(): Promise<void> {
  // What is published is for callers without an identity.
  await edit((text) =>
    text
      .replace(/^mtls: permissive/m, 'mtls: strict')
      .replaceAll(/(?<=protocol: http)(?=, target: "front\.)/g, ', mtls: permissive'),
  );
  const isRefused = async (): Promise<void> => expect(await letIn(STRANGER)).toEqual([]);
  await eventually(isRefused, {
    what: 'the stranger to be refused everywhere',
    timeoutMs: 60_000,
    intervalMs: 500,
  });
}

/** Works again after the fault, and lets nobody in on the way, nor where applications are then. */
async function staysClosed(fault: () => Promise<unknown>): Promise<void> {
  const since = now();
  await fault();
  await works();
  await isClosed(STRANGER, since);
  await sendToAll();
  await isClosed(STRANGER, now());
}

beforeAll(async () => {
  await docker('compose', 'build', '--quiet', 'countersign');
  shop = await openShop();
  await compose('up', '--detach');
  const use = async (): Promise<void> => {
    before = await shop.useIt();
  };
  await eventually(use, { what: 'the shop to work', timeoutMs: 60_000, intervalMs: 500 });
});

afterAll(async () => {
  await shop.close();
});

test('without a mesh it works, and its network carries everything in plain text', async () => {
  expect(before).toMatchObject({ page: 'the shop', products: 'lamp, table, chair' });
  expect(await shop.lookIn('not-a-secret')).toBe('let in');
  expect(await shop.lookIn('wrong')).toBe('wrong password');
  const capture = await startCapture('shop_back');
  try {
    await eventually(
      async () => {
        await works();
        return SECRETS.every((text) => capture.seen().includes(text));
      },
      { what: 'the capture to see plain text', timeoutMs: 60_000 },
    );
  } finally {
    await capture.stop();
  }
});

describe('through `countersign compose`', () => {
  beforeAll(startMesh);

  test('a second run changes nothing', async () => {
    const said = await mesh();
    expect(said).toContain('unchanged: mesh.yaml\nunchanged: docker-compose.mesh.yml\n');
    expect(await compose('up', '--detach', '--dry-run')).not.toContain('Recreate');
  });

  test('what was published still is, at the same address, and asks for the password', async () => {
    expect(await shop.lookIn('not-a-secret')).toBe('let in');
    expect(await shop.lookIn('wrong')).toBe('wrong password');
    const printed = await compose('ps', '--format', '{{.Ports}}', 'db-sidecar');
    expect(printed).toMatch(/^127\.0\.0\.1:\d+->5432\/tcp$/m);
  });

  test('a stranger reaches sidecars alone, by name, and no application', async () => {
    const isSo = async (): Promise<void> => expect(await letIn(STRANGER)).toEqual(NAMED);
    await eventually(isSo, { what: 'so', timeoutMs: 30_000, intervalMs: 300 });
  });

  test('datagrams still arrive where a service is left out', async () => {
    const count = async (): Promise<number> =>
      (await compose('logs', '--no-log-prefix', 'statsd')).split('\n').length;
    const beginning = await count();
    await works();
    await eventually(async () => (await count()) > beginning, {
      what: 'a datagram',
      timeoutMs: 20_000,
      intervalMs: 300,
    });
  });

  test('a replica is found, and called in its turn', async () => {
    await compose('up', '--detach', '--no-recreate', '--scale', 'catalog=3', 'catalog');
    const replicas = async (): Promise<number> => (await shop.replicas(12)).size;
    await eventually(async () => (await replicas()) === 3, {
      what: 'three replicas to answer',
      timeoutMs: 30_000,
      intervalMs: 300,
    });
    await compose('up', '--detach', '--no-recreate', '--scale', 'catalog=1', 'catalog');
    await works();
  });
});

test('no plain text between meshed containers crosses a network', async () => {
  await docker('stop', '--time', '1', STRANGER);
  const captures: Capture[] = [];
  try {
    for (const network of ['countersign', 'back']) {
      captures.push(await startCapture(`shop_${network}`));
    }
    // tcpdump may be late on a busy machine.
    const isSeen = async (): Promise<boolean> => {
      await works();
      return (captures[0]?.seen().length ?? 0) > 50_000;
    };
    await eventually(isSeen, { what: 'the capture to see the mesh', timeoutMs: 60_000 });
    for (const capture of captures) {
      for (const text of SECRETS) expect(capture.seen()).not.toContain(text);
    }
  } finally {
    for (const capture of captures) await capture.stop();
    await docker('start', STRANGER);
  }
});

describe('under STRICT', () => {
  beforeAll(makeStrict);

  test('a stranger is refused by name, and at the addresses of the applications', async () => {
    await staysClosed(async () => {});
    const said = await compose('exec', '-T', 'countersign', 'countersign', 'status');
    expect(said).toMatch(/8 of 8 proxies synced/);
  });

  test('what is published is as open as mesh.yaml says', async () => {
    await works();
    expect(await shop.lookIn('not-a-secret')).toBe('refused');
  });
});

describe('it closes or works, and never opens', () => {
  test('when an application is restarted', async () => {
    await staysClosed(async () => {
      await compose('restart', '--timeout', '1', 'catalog', 'db');
    });
  });

  test('when a sidecar is restarted', async () => {
    await staysClosed(async () => {
      const sidecars = ['db-sidecar', 'catalog-sidecar', 'shop-sidecar'];
      const ids = await Promise.all(sidecars.map(shop.project.containerOf));
      await docker('restart', '--time', '1', ...ids);
    });
  });

  test('when an application is made anew', async () => {
    await staysClosed(() =>
      compose('up', '--detach', '--no-deps', '--force-recreate', '--timeout', '1', 'queue', 'shop'),
    );
  });

  test('when the server is made anew, with its volumes', async () => {
    await staysClosed(() =>
      compose('up', '--detach', '--no-deps', '--force-recreate', 'countersign'),
    );
  });

  test.runIf(OWN !== undefined)('when applications and sidecars are killed', async () => {
    for (const service of ['db', 'catalog', 'db-sidecar', 'catalog-sidecar', 'front-sidecar']) {
      await staysClosed(async () => {
        process.kill(await shop.project.pidOf(service), 'SIGKILL');
      });
    }
  });

  test.runIf(OWN !== undefined)('when the engine is restarted, as after a reboot', async () => {
    await staysClosed(async () => {
      await stopEngine(OWN ?? '');
      await startEngine(OWN ?? '');
    });
  });
});
