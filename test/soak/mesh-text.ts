// The mesh of the soak, and the edits of it that change nothing of who may call whom.
import type { Luck } from './luck.js';

export const TRUST_DOMAIN = 'soak.example';
export const HTTP_PORT = 8080;
export const TCP_PORT = 6000;
/** The shortest that a mesh may ask for. */
const TTL_S = 10;

export interface Targets {
  readonly ledger: string;
  readonly store: string;
}

/** What edits change. */
export interface Shape {
  readonly key: string;
  readonly ttlS: number;
  /** Services without a sidecar, which may call the ledger. */
  readonly others: number;
  readonly paths: readonly string[];
}

export const FIRST_SHAPE: Shape = { key: 'ecdsa-p256', ttlS: TTL_S, others: 1, paths: [] };

/** Another shape than this one. */
export function toNext(shape: Shape, luck: Luck): Shape {
  switch (luck.one(['key', 'ttl', 'others', 'paths'] as const)) {
    case 'key':
      return { ...shape, key: shape.key === 'ecdsa-p256' ? 'ecdsa-p384' : 'ecdsa-p256' };
    case 'ttl':
      return { ...shape, ttlS: TTL_S + ((shape.ttlS - TTL_S + luck.between(1, 4)) % 5) };
    case 'others':
      return { ...shape, others: ((shape.others + luck.between(0, 2)) % 4) + 1 };
    case 'paths':
      return { ...shape, paths: shape.paths.length > 3 ? [] : [...shape.paths, `/p${luck.id()}`] };
  }
}

export function toMeshText({ key, ttlS, others, paths }: Shape, targets: Targets): string {
  const names = Array.from({ length: others }, (_, index) => `other-${index}`);
  const lines = [
    `trustDomain: ${TRUST_DOMAIN}`,
    'mtls: strict',
    `certificates: { ttl: ${ttlS}s, key: ${key} }`,
    'services:',
    '  web: {}',
    '  batch: {}',
    '  rogue: {}',
    ...names.map((name) => `  ${name}: {}`),
    '  ledger:',
    '    ports:',
    `      ${HTTP_PORT}: { protocol: http, target: "${targets.ledger}" }`,
    '    allow:',
    ...names.map((name) => `      - from: [${name}]`),
    ...paths.map((path) => `      - { from: [web], paths: [${path}] }`),
    '      - from: [web]',
    '      - from: [rogue]',
    '  store:',
    '    ports:',
    `      ${TCP_PORT}: { protocol: tcp, target: "${targets.store}" }`,
    '    allow:',
    '      - from: [web]',
    '      - from: [rogue]',
  ];
  return `${lines.join('\n')}\n`;
}
