import type {
  LeftOut,
  MeshPlan,
  PlannedNetwork,
  PlannedPort,
  PlannedService,
} from '../../src/compose/plan/index.js';

export function network(name: string, ...names: string[]): PlannedNetwork {
  return { name, names, staticAddresses: [], isInternal: false };
}

export function port(number: number, protocol: PlannedPort['protocol'] = 'http'): PlannedPort {
  return { number, protocol, evidence: `expose ${number}` };
}

/** On the network `default`, with one HTTP port; calls nobody. */
export function service(compose: string, changes: Partial<PlannedService> = {}): PlannedService {
  return {
    compose,
    name: compose,
    shape: 'fronted',
    ports: [port(8080)],
    calls: [],
    ownNames: new Map(),
    hasLinks: false,
    networks: [network('default', compose)],
    published: [],
    hostname: undefined,
    extraHosts: [],
    dependsOn: new Map(),
    isJob: false,
    replicas: 1,
    profiles: [],
    movedLabels: new Map(),
    movedEnvironment: new Map(),
    otherKeys: new Set(),
    remarks: [],
    ...changes,
  };
}

export function leftOut(compose: string, changes: Partial<LeftOut> = {}): LeftOut {
  return {
    compose,
    reason: 'UDP port 514',
    hint: 'let it be',
    ports: [],
    name: undefined,
    networks: [network('default', compose)],
    isDirect: true,
    ...changes,
  };
}

export function plan(changes: Partial<MeshPlan> = {}): MeshPlan {
  return {
    project: 'shop',
    trustDomain: 'shop.compose.internal',
    image: undefined,
    subnets: undefined,
    services: [],
    leftOut: [],
    remarks: [],
    ...changes,
  };
}

function calls(...callees: string[]): PlannedService['calls'] {
  return callees.map((callee) => ({ callee, evidence: `URL of ${callee}` }));
}

const SHOP_SERVICES: readonly PlannedService[] = [
  service('web', {
    ports: [port(80)],
    calls: [...calls('api', 'cache'), { callee: 'db', evidence: undefined }],
    published: [
      {
        target: 80,
        published: '8080',
        hostIp: '127.0.0.1',
        protocol: 'tcp',
        raw: {
          mode: 'ingress',
          host_ip: '127.0.0.1',
          target: 80,
          published: '8080',
          protocol: 'tcp',
        },
      },
    ],
    networks: [network('front', 'web', 'www'), network('back', 'web')],
    movedLabels: new Map([
      ['traefik.enable', 'true'],
      ['traefik.http.routers.web.rule', 'Host(`$$x`)'],
    ]),
    movedEnvironment: new Map([['VIRTUAL_HOST', 'shop.example']]),
  }),
  service('api', {
    ports: [port(8080, 'grpc')],
    calls: calls('db', 'audit', 'syslog'),
    ownNames: new Map([['database', 'db']]),
    hasLinks: true,
    networks: [network('back', 'api', 'shop-api')],
    replicas: 3,
  }),
  service('db', { ports: [port(5432, 'tcp')], networks: [network('back', 'db')] }),
  service('cache', {
    ports: [port(8080, 'tcp')],
    networks: [network('back', 'cache')],
    profiles: ['full'],
  }),
  service('migrate', {
    ports: [],
    calls: calls('db'),
    networks: [network('back', 'migrate')],
    isJob: true,
  }),
];

const SHOP_LEFT_OUT: readonly LeftOut[] = [
  leftOut('audit', {
    name: 'audit',
    ports: [port(9000)],
    networks: [network('back', 'audit')],
    reason: 'x-countersign: false',
    isDirect: false,
  }),
  leftOut('syslog', { networks: [network('back', 'syslog', 'logs')] }),
];

/** Two that call, one that is called, one that is left out and called, one that is left alone. */
export function shop(): MeshPlan {
  return plan({ services: SHOP_SERVICES, leftOut: SHOP_LEFT_OUT });
}
