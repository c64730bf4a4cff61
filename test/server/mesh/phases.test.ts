import { describe, expect, it } from 'vitest';
import { planPhases } from '../../../src/server/mesh/phases.js';
import { meshOf, portOf } from '../../policy/helpers.js';

const ANYONE = 'allow: [ { from: [anyone] } ]';
const WEB = 'allow: [ { from: [web] } ]';

function meshWith(port: string, more = ''): ReturnType<typeof meshOf> {
  return meshOf(`trustDomain: shop.example
services:
  web: {}
  ledger:
    ports:
      8080: { protocol: http, ${port} }
${more}`);
}

/** Mode, whether the rules name web, and how many deny rules: of each phase in turn. */
function steps(from: string, to: string): string[] {
  const phases = planPhases([meshWith(from)], meshWith(to));
  return phases.map(({ mesh }) => {
    const { mode, access } = portOf(mesh, 'ledger:8080');
    const rules = JSON.stringify(access.allow).includes('/sa/web') ? 'web' : 'anyone';
    return `${mode} ${rules}`;
  });
}

describe('a change of mode', () => {
  it.each<[string, string, string, string[]]>([
    [
      'DISABLE to STRICT: callers move to mTLS before plain text is refused',
      `mtls: disable, ${ANYONE}`,
      `mtls: strict, ${WEB}`,
      ['permissive anyone', 'strict web'],
    ],
    [
      'DISABLE to STRICT under equal rules',
      `mtls: disable, ${ANYONE}`,
      `mtls: strict, ${ANYONE}`,
      ['permissive anyone', 'strict anyone'],
    ],
    [
      'STRICT to DISABLE: plain text is accepted before callers send it',
      `mtls: strict, ${WEB}`,
      `mtls: disable, ${ANYONE}`,
      ['permissive anyone', 'disable anyone'],
    ],
    [
      'DISABLE to PERMISSIVE with rules of identities: callers have one first',
      `mtls: disable, ${ANYONE}`,
      `mtls: permissive, ${WEB}`,
      ['permissive anyone', 'permissive web'],
    ],
    [
      'PERMISSIVE to DISABLE with other rules',
      `mtls: permissive, ${WEB}`,
      `mtls: disable, ${ANYONE}`,
      ['permissive anyone', 'disable anyone'],
    ],
    [
      'DISABLE to PERMISSIVE under equal rules: the port accepts both in any case',
      `mtls: disable, ${ANYONE}`,
      `mtls: permissive, ${ANYONE}`,
      ['permissive anyone'],
    ],
    [
      'PERMISSIVE to STRICT: mesh callers use the mesh port throughout',
      `mtls: permissive, ${WEB}`,
      `mtls: strict, ${WEB}`,
      ['strict web'],
    ],
    [
      'STRICT to PERMISSIVE',
      `mtls: strict, ${WEB}`,
      `mtls: permissive, ${WEB}`,
      ['permissive web'],
    ],
    ['no change', `mtls: strict, ${WEB}`, `mtls: strict, ${WEB}`, ['strict web']],
    ['a change of rules', `mtls: strict, ${WEB}`, `mtls: strict, ${ANYONE}`, ['strict anyone']],
  ])('%s', (_, from, to, expected) => {
    expect(steps(from, to)).toEqual(expected);
  });

  it('keeps the deny rules of both ends while it lasts', () => {
    const from = meshWith(`mtls: disable, ${ANYONE}, deny: [ { paths: [/old] } ]`);
    const to = meshWith(`mtls: strict, ${WEB}, deny: [ { paths: [/new] } ]`);
    const [first] = planPhases([from], to);
    const deny = first === undefined ? [] : portOf(first.mesh, 'ledger:8080').access.deny;
    expect(deny.map(({ paths }) => paths?.[0])).toEqual([
      { kind: 'exact', text: '/new' },
      { kind: 'exact', text: '/old' },
    ]);
  });

  it('names the ports, and touches no other', () => {
    const other = '  store: { ports: { 6000: { protocol: tcp, mtls: strict } } }';
    const phases = planPhases(
      [meshWith(`mtls: disable, ${ANYONE}`, other)],
      meshWith(`mtls: strict, ${WEB}`, other),
    );
    expect(phases.map(({ name }) => name)).toEqual([
      'both old and new settings on ledger:8080',
      'new settings of ledger:8080',
    ]);
    expect(phases.map(({ mesh }) => portOf(mesh, 'store:6000').mode)).toEqual(['strict', 'strict']);
  });
});

describe('one step only', () => {
  const wanted = meshWith('mtls: strict');

  it('where no mesh was in force', () => {
    expect(planPhases([], wanted)).toEqual([{ name: `mesh ${wanted.version}`, mesh: wanted }]);
  });

  it('for a port that is new', () => {
    const before = meshOf('{ trustDomain: shop.example, services: { ledger: {}, web: {} } }');
    expect(planPhases([before], wanted)).toHaveLength(1);
  });
});

describe('a change that overtakes another', () => {
  it('plain-text callers of before are still waited for when a second edit comes early', () => {
    const disable = meshWith(`mtls: disable, ${ANYONE}`);
    const strict = meshWith(`mtls: strict, ${WEB}`);
    const [both] = planPhases([disable], strict);
    const again = meshWith(`mtls: strict, ${WEB}`, '  more: {}');
    const phases = planPhases([disable, both?.mesh ?? disable], again);
    expect(phases.map(({ mesh }) => portOf(mesh, 'ledger:8080').mode)).toEqual([
      'permissive',
      'strict',
    ]);
    expect(phases.every(({ mesh }) => [...mesh.services.keys()].includes('more' as never))).toBe(
      true,
    );
  });

  it('the same for an edit in two steps: DISABLE, PERMISSIVE, STRICT', () => {
    const [disable, permissive, strict] = ['disable', 'permissive', 'strict'].map((mode) =>
      meshWith(`mtls: ${mode}, ${ANYONE}`),
    );
    if (disable === undefined || permissive === undefined || strict === undefined)
      throw new Error();
    const phases = planPhases([disable, permissive], strict);
    expect(phases.map(({ mesh }) => portOf(mesh, 'ledger:8080').mode)).toEqual([
      'permissive',
      'strict',
    ]);
  });
});

describe('a change of TLS settings', () => {
  const tls = (text: string): string => `mtls: strict, tls: { ${text} }`;
  const settings = (from: string, to: string): string[] =>
    planPhases([meshWith(tls(from))], meshWith(tls(to))).map(({ mesh }) => {
      const { minVersion, maxVersion, curves } = portOf(mesh, 'ledger:8080').tls;
      return `${minVersion}-${maxVersion} ${curves.join(',')}`;
    });

  it.each<[string, string, string, string[]]>([
    [
      'versions without one in common: both ends take either first',
      'minVersion: TLSv1_2, maxVersion: TLSv1_2, curves: [P-256]',
      'minVersion: TLSv1_3, curves: [P-256]',
      ['TLSv1_2-TLSv1_3 P-256', 'TLSv1_3-TLSv1_3 P-256'],
    ],
    [
      'curves without one in common: both ends take either first',
      'curves: [P-256]',
      'curves: [X25519]',
      ['TLSv1_3-TLSv1_3 X25519,P-256', 'TLSv1_3-TLSv1_3 X25519'],
    ],
    [
      'a floor that the old settings reach is one step',
      'minVersion: TLSv1_2, curves: [P-256]',
      'minVersion: TLSv1_3, curves: [P-256]',
      ['TLSv1_3-TLSv1_3 P-256'],
    ],
  ])('%s', (_name, from, to, wanted) => {
    expect(settings(from, to)).toEqual(wanted);
  });
});
