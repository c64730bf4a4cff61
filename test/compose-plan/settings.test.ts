// What a user says in the compose file, and the names and keys that follow from it.
import { describe, expect, test } from 'vitest';
import { planOf, planRefusal, planServices, serviceOf } from './planned.js';

const web = (settings: string): string => `services: { web: { image: nginx, ${settings} } }`;
const own = (settings: string): string => web(`x-countersign: ${settings}`);

test('labels mean the same as the key', async () => {
  const [byKey, byLabel] = await Promise.all([
    planOf(
      own(
        '{ capture: transparent, ports: { "81": http, "82": tcp }, calls: [], name: w, job: true }',
      ),
    ),
    planOf(
      web(
        'labels: { countersign.capture: transparent, countersign.ports: "81=http, 82=tcp", ' +
          'countersign.calls: "", countersign.name: w, countersign.job: "true" }',
      ),
    ),
  ]);
  expect(byLabel.services).toEqual(byKey.services);
  expect(byKey.services[0]).toMatchObject({ name: 'w', shape: 'holder', isJob: true });
});

test('those of the file', async () => {
  const plan = await planOf(
    `x-countersign: { trustDomain: shop.example, subnets: 10.213.0.0/16, image: own }\n${web('')}`,
  );
  expect(plan).toMatchObject({
    trustDomain: 'shop.example',
    subnets: '10.213.0.0/16',
    image: 'own',
  });
  const other = await planOf(`name: my_shop\n${web('')}`);
  expect(other).toMatchObject({ trustDomain: 'my_shop.compose.internal', subnets: undefined });
});

const WRONG: readonly [text: string, message: RegExp][] = [
  [
    own('{ port: { "80": http } }'),
    /^services\.web\.x-countersign: unknown key "port"\|did you mean "ports"\?$/,
  ],
  [
    own('{ anything: 1 }'),
    /unknown key "anything"\|its keys are capture, ports, calls, name, job$/,
  ],
  [
    own('{ ports: { "80": htp } }'),
    /x-countersign\.ports\.80: expected one of http, http2, grpc, tcp/,
  ],
  [own('{ ports: { web: http } }'), /x-countersign\.ports\.web: expected a port number/],
  [own('{ ports: [80] }'), /x-countersign\.ports: expected a map of ports/],
  [own('{ calls: db }'), /x-countersign\.calls: expected a list of services/],
  [
    own('{ calls: [wbe] }'),
    /x-countersign\.calls: there is no service "wbe" \(did you mean "web"\?\)/,
  ],
  [own('{ capture: all }'), /x-countersign\.capture: expected fronted or transparent/],
  [own('{ name: Web_1 }'), /x-countersign\.name: expected a name of lower case letters/],
  [own('{ name: mesh }'), /x-countersign\.name: expected .* no reserved word/],
  [own('{ job: "yes" }'), /x-countersign\.job: expected true or false/],
  [own('[a]'), /x-countersign: expected false or settings/],
  [own('"off"'), /x-countersign: expected false or settings/],
  [web('labels: [countersign.prots=1]'), /unknown key "prots"\|did you mean "ports"\?/],
  [web('labels: [countersign.job=maybe]'), /x-countersign\.job: expected true or false/],
  [
    web('x-countersign: { job: true }, labels: [countersign.job=true]'),
    /\.job: expected it once but got the label/,
  ],
  [
    `x-countersign: { trustdomain: a }\n${web('')}`,
    /^x-countersign: unknown key "trustdomain"\|did you mean "trustDomain"\?/,
  ],
  [
    `x-countersign: { trustDomain: "A B" }\n${web('')}`,
    /x-countersign\.trustDomain: expected a trust domain/,
  ],
  [
    `x-countersign: { subnets: wide }\n${web('')}`,
    /x-countersign\.subnets: expected a range of addresses, as in/,
  ],
];

test.each(WRONG)('%s', async (text, message) => {
  expect(await planRefusal(text)).toMatch(message);
});

describe('names in mesh.yaml', () => {
  test.each([
    [
      ['web_app', 'Api.V1', 'db'],
      ['web-app', 'api-v1', 'db'],
    ],
    [
      ['a_b', 'a-b', 'a.b', 'A-B'],
      ['a-b-2', 'a-b', 'a-b-3', 'a-b-4'],
    ],
    [
      ['mesh', 'anyone', '_', '__'],
      ['mesh-service', 'anyone-service', 'service', 'service-2'],
    ],
    [['x'.repeat(80)], ['x'.repeat(56)]],
  ])('%j', async (services, names) => {
    const plan = await planServices(
      Object.fromEntries(services.map((name) => [name, 'image: nginx'])),
    );
    expect(plan.services.map(({ name }) => name)).toEqual(names);
  });

  test('a name that was chosen stands, and others give way', async () => {
    const plan = await planServices({
      a: 'image: nginx',
      b: 'image: nginx, x-countersign: { name: a }',
    });
    expect(plan.services.map(({ name }) => name)).toEqual(['a-2', 'a']);
  });
});

test('replicas can share no holder', async () => {
  const plan = await planServices({
    web: 'image: x, deploy: { replicas: 3 }, x-countersign: { capture: transparent }',
  });
  const { shape, replicas, remarks } = serviceOf(plan, 'web');
  expect([shape, replicas]).toEqual(['fronted', 3]);
  expect(remarks).toEqual([
    "It has 3 replicas, which can't share a holder: it is fronted instead.",
  ]);
});

describe('what a proxy in front reads goes over to the sidecar', () => {
  test('labels for Traefik, with port and network where they are not said', async () => {
    const plan = await planOf(`
services:
  edge: { image: traefik, volumes: ["/var/run/docker.sock:/var/run/docker.sock"], networks: [out] }
  web:
    image: x
    expose: ["3000"]
    networks: [own, out]
    labels: ["traefik.enable=true", "traefik.http.routers.w.rule=Host(\`$D\`)", "other=1"]
networks: { own: , out: { name: edge-net } }
`);
    expect(Object.fromEntries(serviceOf(plan, 'web').movedLabels)).toEqual({
      'traefik.enable': 'true',
      'traefik.http.routers.w.rule': 'Host(`$D`)',
      'traefik.http.services.web.loadbalancer.server.port': '3000',
      'traefik.docker.network': 'edge-net',
    });
  });

  test('variables for nginx-proxy; what comes of env_file is said instead', async () => {
    const plan = await planOf({
      'compose.yaml':
        'services: { web: { image: x, expose: ["3000"], env_file: e.env, ' +
        'environment: { VIRTUAL_HOST: "$D", OTHER: 1 } } }',
      'e.env': 'LETSENCRYPT_HOST=secret.example\n',
    });
    const { movedEnvironment, remarks } = serviceOf(plan, 'web');
    expect(Object.fromEntries(movedEnvironment)).toEqual({
      VIRTUAL_HOST: '$D',
      VIRTUAL_PORT: '3000',
    });
    expect(remarks[0]).toMatch(/reads LETSENCRYPT_HOST of the sidecar/);
  });
});

test('published ports and databases are remarked', async () => {
  const plan = await planServices({
    db: 'image: postgres, ports: ["127.0.0.1:5432:5432"]',
    web: 'image: x, ports: ["80:80", "81:81"]',
    both: 'image: x, ports: ["80:80", "127.0.0.1:90:90", "[::1]:91:91"]',
  });
  expect(serviceOf(plan, 'db').remarks).toEqual([
    'Port 5432 is published on the host alone: who calls there does so in plain text.',
    'Grants that name an address of a client no longer match: each call comes from the sidecar.',
  ]);
  expect(serviceOf(plan, 'web').remarks).toEqual([
    'Ports 80 and 81 are published to the outside: who calls there does so in plain text.',
  ]);
  expect(serviceOf(plan, 'both').remarks).toEqual([
    'Port 80 is published to the outside: who calls there does so in plain text.',
    'Ports 90 and 91 are published on the host alone: who calls there does so in plain text.',
  ]);
});
