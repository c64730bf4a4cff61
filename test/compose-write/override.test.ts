import { describe, expect, test } from 'vitest';
import { parseDocument } from 'yaml';
import type { MeshPlan } from '../../src/compose/plan/index.js';
import { isOverride, toOverride, wire } from '../../src/compose/write/index.js';
import { leftOut, network, plan, port, service, shop } from './plans.js';

interface Container {
  readonly command?: readonly string[];
  readonly volumes?: readonly string[];
  readonly labels?: Readonly<Record<string, unknown>>;
  readonly environment?: Readonly<Record<string, unknown>>;
  readonly ports?: unknown;
  readonly links?: unknown;
  readonly profiles?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { condition: string }>>;
  readonly networks?: Readonly<
    Record<string, { aliases?: readonly string[]; ipv4_address?: string }>
  >;
}

interface Override {
  readonly services: Readonly<Record<string, Container>>;
  readonly networks: Readonly<Record<string, { internal?: boolean }>>;
}

const OPTIONS = {
  sources: ['docker-compose.yml'],
  override: 'docker-compose.mesh.yml',
  meshFolder: '.',
};

function textOf(changes: Partial<MeshPlan>): string {
  return toOverride(wire(plan(changes)), OPTIONS);
}

function read(text: string): Override {
  // `!override` and `!reset` are Compose's own.
  const document = parseDocument(text, { merge: true, logLevel: 'error' });
  expect(document.errors).toEqual([]);
  return document.toJS() as Override;
}

const TEXT = toOverride(wire(shop()), OPTIONS);
const { services, networks } = read(TEXT);

test('two runs write the same bytes', () => {
  expect(toOverride(wire(shop()), OPTIONS)).toBe(TEXT);
  expect(isOverride(TEXT)).toBe(true);
  expect(isOverride('services: {}')).toBe(false);
});

test('is the file that a reader sees', async () => {
  await expect(TEXT).toMatchFileSnapshot('goldens/shop.mesh.golden.yml');
});

describe('an application', () => {
  test('is alone with its sidecar, and waits for it', () => {
    for (const name of ['web', 'api', 'db', 'cache', 'migrate']) {
      const own = Object.keys(services[name]?.networks ?? {});
      for (const one of own.filter((each) => each.includes('-private'))) {
        const members = Object.entries(services).filter(
          ([, { networks: all }]) => one in (all ?? {}),
        );
        expect(members.map(([member]) => member)).toEqual([name, `${name}-sidecar`]);
      }
      expect(own[0]).toBe(`${name}-private`);
      expect(services[name]?.depends_on).toEqual({
        [`${name}-sidecar`]: { condition: 'service_healthy' },
      });
    }
  });

  test('is under a name that leads to it alone, and under its own', () => {
    expect(services['web']?.networks?.['web-private']?.aliases).toEqual([
      'web.application.internal',
      'www',
    ]);
  });

  test('publishes nothing and links nothing any more', () => {
    expect(TEXT).toMatch(
      /\n {2}web:\n {4}networks: !override\n(?: {6}.*\n)+ {4}ports: !reset \[\]\n/,
    );
    expect(TEXT).toContain('    links: !reset []\n');
    expect(services['db']?.ports).toBeUndefined();
  });
});

describe('a sidecar', () => {
  test('has the place of its service: networks, names and published ports', () => {
    const { networks: own, ports } = services['web-sidecar'] ?? {};
    expect(own?.['front']?.aliases).toEqual(['web', 'www']);
    expect(own?.['back']?.aliases).toEqual(['web']);
    expect(own).toHaveProperty('countersign');
    expect(ports).toEqual([
      { mode: 'ingress', host_ip: '127.0.0.1', target: 80, published: '8080', protocol: 'tcp' },
    ]);
  });

  test('has the names of callees, two of one port number at different addresses', () => {
    const own = services['web-sidecar']?.networks;
    expect(own?.['web-private']?.aliases).toEqual(['api', 'shop-api', 'db']);
    expect(own?.['web-private-2']?.aliases).toEqual(['cache']);
    const [first, second] = [own?.['web-private'], own?.['web-private-2']].map(
      (one) => one?.ipv4_address ?? '',
    );
    expect(services['web-identity']?.command).toContain(
      `--outbound=api=${first},db=${first},cache=${second}`,
    );
  });

  test('has the name of a link, which its caller alone uses', () => {
    expect(services['api-sidecar']?.networks?.['api-private']?.aliases).toContain('database');
    expect(services['migrate-sidecar']?.networks?.['migrate-private']?.aliases).toEqual(['db']);
  });

  test('starts only with its service, where that has a profile', () => {
    expect(services['cache-sidecar']?.profiles).toEqual(['full']);
    expect(services['cache-identity']?.profiles).toEqual(['full']);
    expect(services['db-sidecar']?.profiles).toBeUndefined();
  });

  test('is made anew when its bootstrap is another one', () => {
    const label = (text: string): unknown =>
      read(text).services['web-sidecar']?.labels?.['countersign.bootstrap'];
    const calls = [{ callee: 'db', evidence: 'link' }];
    const db = service('db', { ports: [port(5432, 'tcp')] });
    const before = label(textOf({ services: [service('web'), db] }));
    expect(label(textOf({ services: [service('web', { calls }), db] }))).not.toBe(before);
    expect(label(textOf({ services: [service('web'), service('other'), db] }))).toBe(before);
  });

  test('has what readers of the Docker socket look for, and the application has it no more', () => {
    expect(services['web-sidecar']?.labels).toMatchObject({
      'traefik.enable': 'true',
      'traefik.http.routers.web.rule': 'Host(`$$x`)',
    });
    expect(services['web']?.labels).toEqual({ 'traefik.enable': 'false' });
    expect(services['web-sidecar']?.environment).toEqual({ VIRTUAL_HOST: 'shop.example' });
    expect(services['web']?.environment).toEqual({ VIRTUAL_HOST: '' });
  });
});

describe('what is left out', () => {
  test('has a name by which sidecars reach it, apart from those that lead to them', () => {
    expect(services['audit']?.networks).toEqual({ back: { aliases: ['audit.outside.internal'] } });
    expect(services['api-sidecar']?.networks?.['api-private']?.aliases).toContain('audit');
  });

  test('is reached on a network of two alone, where no port is known', () => {
    expect(services['syslog']?.networks).toEqual({
      'api-to-syslog': { aliases: ['syslog', 'logs'] },
    });
    expect(services['api']?.networks).toHaveProperty('api-to-syslog');
    expect(services['api-sidecar']?.networks).not.toHaveProperty('api-to-syslog');
    expect(wire(shop()).remarks).toEqual([
      'syslog is called around the sidecar of api, on a network of the two alone',
    ]);
  });

  test('a callee in the mesh whose ports nobody knows is reached so too', () => {
    const calls = [{ callee: 'odd', evidence: 'ODD_HOST of web' }];
    const odd = service('odd', { ports: [] });
    const { services: all } = read(textOf({ services: [service('web', { calls }), odd] }));
    expect(Object.keys(all['web']?.networks ?? {})).toEqual(['web-private', 'web-to-odd']);
    expect(all['odd']?.networks?.['web-to-odd']).toEqual({ aliases: ['odd'] });
  });

  test('is not mentioned where nobody calls it', () => {
    const text = textOf({ services: [service('web')], leftOut: [leftOut('host')] });
    expect(read(text).services).not.toHaveProperty('host');
  });
});

test('a network leads outside only if a network of its service did', () => {
  const inside = { ...network('inside', 'db'), isInternal: true };
  const { networks: own } = read(
    textOf({
      services: [
        service('db', { networks: [inside] }),
        service('web', { networks: [inside, network('front', 'web')] }),
      ],
    }),
  );
  expect(own['db-private']?.internal).toBe(true);
  expect(own['web-private']?.internal).toBeUndefined();
  expect(networks['countersign']?.internal).toBe(true);
});

test('nothing that we add has a name that is taken', () => {
  const text = textOf({
    services: [
      service('web'),
      service('web-sidecar'),
      service('countersign', { networks: [network('countersign', 'countersign')] }),
    ],
  });
  const { services: containers, networks: all } = read(text);
  expect(Object.keys(containers)).toEqual(
    expect.arrayContaining(['web-sidecar', 'web-sidecar-of-mesh-2', 'countersign-of-mesh-2']),
  );
  expect(Object.keys(all)).toContain('countersign-of-mesh-2');
  expect(text).toContain('--xds=countersign-of-mesh-2:18000');
});

test.each(['on', '123', 'a.b', 'a:b', "it's", 'x y', '#no', 'null', 'é'])(
  'a service named "%s" comes out under that name',
  (name) => {
    const text = textOf({ services: [service(name, { name: 'plain' })] });
    expect(Object.keys(read(text).services)).toContain(name);
  },
);

test('callees for which there is no slot are named, with what to write', () => {
  const callees = Array.from({ length: 17 }, (_, index) => service(`c${index}`));
  const calls = callees.map(({ compose }) => ({ callee: compose, evidence: undefined }));
  const callers = ['web', 'api'].map((name) => service(name, { calls }));
  const { remarks } = wire(plan({ services: [...callers, ...callees] }));
  expect(remarks).toHaveLength(1);
  expect(remarks[0]).toMatch(/^web, api can't call (c\d+, ){4}c\d+ and \d+ more any more, since /);
  expect(remarks[0]).toMatch(/name its callees: `x-countersign: { calls: \[c\d+\] }`$/);
});
