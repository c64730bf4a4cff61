import { expect, test } from 'vitest';
import { parseDocument } from 'yaml';
import { toMeshYaml, toOverride, type Wiring, wire } from '../../src/compose/write/index.js';
import { leftOut, network, plan, port, service } from './plans.js';

function held(changes: Parameters<typeof service>[1] = {}): Wiring {
  const calls = ['db', 'cache', 'legacy', 'syslog'].map((callee) => ({ callee, evidence: 'said' }));
  return wire(
    plan({
      services: [
        service('web', { shape: 'holder', calls, ...changes }),
        service('db', { ports: [port(5432, 'tcp')], networks: [network('default', 'db', 'pg')] }),
        service('cache', { ports: [port(5432, 'tcp')] }),
      ],
      leftOut: [
        leftOut('legacy', { name: 'legacy', ports: [port(9000)], isDirect: false }),
        leftOut('syslog'),
      ],
    }),
  );
}

function textOf(wiring: Wiring): string {
  const sources = ['docker-compose.yml'];
  return toOverride(wiring, { sources, override: 'docker-compose.mesh.yml', meshFolder: '.' });
}

interface Container {
  readonly [key: string]: unknown;
}

function containersOf(wiring: Wiring): Readonly<Record<string, Container>> {
  const document = parseDocument(textOf(wiring), { merge: true, logLevel: 'error' });
  expect(document.errors).toEqual([]);
  return (document.toJS() as { services: Record<string, Container> }).services;
}

test('a holder has the place of its service, and the other two have its network', () => {
  const raw = { target: 514, published: '514', protocol: 'udp' } as const;
  const fixed = { ...network('back', 'web', 'www'), staticAddresses: ['172.30.0.9', 'fd00::9'] };
  const services = containersOf(
    held({
      networks: [fixed, network('default', 'web')],
      published: [{ ...raw, hostIp: undefined, raw }],
      hostname: 'www.example',
      profiles: ['full'],
    }),
  );
  expect(services['web-holder']).toMatchObject({
    image: 'countersign:capture',
    hostname: 'www.example',
    profiles: ['full'],
    ports: [raw],
    networks: {
      back: { ipv4_address: '172.30.0.9', ipv6_address: 'fd00::9', aliases: ['web', 'www'] },
      default: { aliases: ['web'] },
      countersign: {},
    },
  });
  for (const name of ['web', 'web-sidecar']) {
    expect(services[name]).toMatchObject({ network_mode: 'service:web-holder' });
  }
  expect(services['web-sidecar']).not.toHaveProperty('networks');
  expect(services['web-sidecar']).not.toHaveProperty('sysctls');
});

test('names of callees lead to loopback addresses, each callee to its own', () => {
  const services = containersOf(held());
  expect(services['web-holder']?.['extra_hosts']).toEqual([
    'db:127.64.0.1',
    'pg:127.64.0.1',
    'cache:127.64.0.2',
    'legacy:127.64.0.3',
  ]);
  expect(services['web-identity']?.['command']).toContain(
    '--outbound=db=127.64.0.1,cache=127.64.0.2,legacy=127.64.0.3',
  );
});

test('what is left out is reached where it is, on the networks that the service keeps', () => {
  const services = containersOf(held());
  expect(Object.keys(services)).not.toContain('syslog');
  expect(services['legacy']).toEqual({
    networks: { default: { aliases: ['legacy.outside.internal'] } },
  });
  expect(textOf(held())).not.toContain('web-private');
});

test('keys that stand in the way of a borrowed network are taken back, and named', () => {
  const extraHosts = ['db:10.0.0.1', 'host.docker.internal:host-gateway'];
  const wiring = held({ extraHosts, otherKeys: new Set(['dns', 'mem_limit']) });
  expect(wiring.remarks).toContain('web loses dns: set them at its holder in a file of your own');
  const text = textOf(wiring);
  const application = /\n {2}web:\n((?: {4}.*\n)+)/.exec(text)?.[1] ?? '';
  for (const line of ['networks: !reset null', 'extra_hosts: !reset []', 'dns: !reset null']) {
    expect(application).toContain(`    ${line}\n`);
  }
  expect(application).not.toContain('mem_limit');
  // Of two that say where a name leads, the sidecar's comes first.
  expect(text).toContain('host.docker.internal:host-gateway');
  expect(text).not.toContain('db:10.0.0.1');
});

test('mesh.yaml says that it is captured, and nothing of where the application is', () => {
  const { text } = toMeshYaml(held());
  const capture = 'capture: { inbound: transparent, undeclared: refuse }';
  expect(text).toContain(`  web:\n    ${capture}\n    ports:\n`);
  expect(text).toContain('\n      8080: http\n');
});

test('the image with nftables is the tag "capture" of our own', () => {
  const { plan: planned, ...rest } = held();
  const image = 'registry.example:5000/mesh/countersign:1.2';
  const text = textOf({ ...rest, plan: { ...planned, image } });
  expect(text).toContain('image: "registry.example:5000/mesh/countersign:capture"');
});

test('a sidecar beside an application that calls nobody listens for nobody', () => {
  const services = containersOf(held({ calls: [] }));
  expect(services['web-identity']?.['command']).toContain('--outbound=none');
});

test('a callee with a port of its own is called in plain text, and named', () => {
  const wiring = held({ ports: [port(5432, 'tcp')] });
  expect(containersOf(wiring)['web-holder']?.['extra_hosts']).toEqual(['legacy:127.64.0.1']);
  expect(wiring.remarks).toContain(
    'web calls db, cache around its sidecar, in plain text, which strict refuses, ' +
      'since they have a port number that web listens at itself',
  );
});
