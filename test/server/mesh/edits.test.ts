import { describe, expect, it } from 'vitest';
import type { Mesh, Port, ServiceName } from '../../../src/policy/index.js';
import { toCallersForm, toServed } from '../../../src/translate/forms.js';
import { meshOf, portOf } from '../../policy/helpers.js';
import { afterEdits, meshesOf, stepsOf } from './steps.js';

const ANYONE = 'allow: [ { from: [anyone] } ]';
const WEB = 'allow: [ { from: [web] } ]';

function meshWith(port: string, more = ''): Mesh {
  return meshOf(`trustDomain: shop.example
services:
  web: {}
  ledger:
    ports:
      8080: { protocol: http, ${port} }
${more}`);
}

/** A form by its mode and whom its rules name; `-`: nobody comes that way. */
function formOf(port: Port | undefined): string {
  if (port === undefined) return '-';
  const rules = JSON.stringify(port.access.allow).includes('/sa/web') ? 'web' : 'anyone';
  return `${port.mode} ${rules}`;
}

/** How ledger:8080 stands: whose rules are for TLS, whose for plain text, and how callers come. */
function standIn(mesh: Mesh): string {
  const port = portOf(mesh, 'ledger:8080');
  const { tls, plain } = toServed(port);
  const callers = toCallersForm(port).mode === 'disable' ? 'plain text' : 'TLS';
  return `${formOf(tls)} | ${formOf(plain)} | ${callers}`;
}

const standsOf = (...meshes: readonly [Mesh, ...Mesh[]]): string[] =>
  meshesOf(afterEdits(...meshes)).map(standIn);

describe('a change of mode', () => {
  it.each<[string, string, string, string[]]>([
    [
      'DISABLE to STRICT: TLS is taken, callers move to it, plain text is refused',
      `mtls: disable, ${ANYONE}`,
      `mtls: strict, ${WEB}`,
      [
        'strict web | disable anyone | plain text',
        'strict web | disable anyone | TLS',
        'strict web | - | TLS',
      ],
    ],
    [
      'STRICT to DISABLE: plain text is taken, callers move to it, TLS is refused',
      `mtls: strict, ${WEB}`,
      `mtls: disable, ${ANYONE}`,
      [
        'strict web | disable anyone | TLS',
        'strict web | disable anyone | plain text',
        '- | disable anyone | plain text',
      ],
    ],
    [
      'DISABLE to PERMISSIVE with rules of identities: callers have one first',
      `mtls: disable, ${ANYONE}`,
      `mtls: permissive, ${WEB}`,
      [
        'permissive web | disable anyone | plain text',
        'permissive web | disable anyone | TLS',
        'permissive web | permissive web | TLS',
      ],
    ],
    [
      'PERMISSIVE to DISABLE with other rules',
      `mtls: permissive, ${WEB}`,
      `mtls: disable, ${ANYONE}`,
      [
        'permissive web | disable anyone | TLS',
        'permissive web | disable anyone | plain text',
        '- | disable anyone | plain text',
      ],
    ],
    [
      'DISABLE to PERMISSIVE under equal rules: nothing is left to narrow',
      `mtls: disable, ${ANYONE}`,
      `mtls: permissive, ${ANYONE}`,
      [
        'permissive anyone | permissive anyone | plain text',
        'permissive anyone | permissive anyone | TLS',
      ],
    ],
    [
      'PERMISSIVE to DISABLE under equal rules: nothing is to widen',
      `mtls: permissive, ${ANYONE}`,
      `mtls: disable, ${ANYONE}`,
      ['permissive anyone | permissive anyone | plain text', '- | disable anyone | plain text'],
    ],
    [
      'PERMISSIVE to STRICT: mesh callers come by TLS throughout',
      `mtls: permissive, ${WEB}`,
      `mtls: strict, ${WEB}`,
      ['strict web | - | TLS'],
    ],
    [
      'STRICT to PERMISSIVE',
      `mtls: strict, ${WEB}`,
      `mtls: permissive, ${WEB}`,
      ['permissive web | permissive web | TLS'],
    ],
    ['no change', `mtls: strict, ${WEB}`, `mtls: strict, ${WEB}`, ['strict web | - | TLS']],
    [
      'a change of rules',
      `mtls: strict, ${WEB}`,
      `mtls: strict, ${ANYONE}`,
      ['strict anyone | - | TLS'],
    ],
  ])('%s', (_, from, to, expected) => {
    expect(standsOf(meshWith(from), meshWith(to))).toEqual(expected);
  });

  it("one mesh's deny rules are never laid over the other's", () => {
    const from = meshWith(`mtls: disable, ${ANYONE}, deny: [ { paths: [/old] } ]`);
    const to = meshWith(`mtls: strict, ${WEB}, deny: [ { paths: [/new] } ]`);
    const { published } = afterEdits(from, to);
    const { tls, plain } = toServed(portOf(published, 'ledger:8080'));
    const denied = [tls, plain].map((form) => form?.access.deny.map(({ paths }) => paths?.[0]));
    expect(denied).toEqual([[{ kind: 'exact', text: '/new' }], [{ kind: 'exact', text: '/old' }]]);
  });

  it('is a track of its own, and touches no other port', () => {
    const other = '  store: { ports: { 6000: { protocol: tcp, mtls: strict } } }';
    const before = meshWith(`mtls: disable, ${ANYONE}`, other);
    const wanted = meshWith(`mtls: strict, ${WEB}`, other);
    const state = afterEdits(before, wanted);
    expect([...state.tracks.keys()]).toEqual(['ledger:8080']);
    expect(stepsOf(state).map(({ name }) => name)).toEqual(['widen', 'move', 'narrow']);
    const store = wanted.services.get('store' as ServiceName);
    expect(state.published.services.get('store' as ServiceName)).toBe(store);
  });

  it('waits for those that serve the port, those that may call it, and both', () => {
    const more = '  batch: {}\n  store: { ports: { 6000: { protocol: tcp, mtls: strict } } }';
    const state = afterEdits(
      meshWith(`mtls: strict, ${WEB}`, more),
      meshWith('mtls: disable, access: deny', more),
    );
    expect(stepsOf(state).map(({ awaits }) => awaits)).toEqual([
      ['ledger'],
      ['web'],
      ['ledger', 'web'],
    ]);
  });
});

describe('no track', () => {
  const wanted = meshWith('mtls: strict');

  it('for a port that is new', () => {
    const before = meshOf('{ trustDomain: shop.example, services: { ledger: {}, web: {} } }');
    const { tracks, published } = afterEdits(before, wanted);
    expect([tracks.size, published]).toEqual([0, wanted]);
  });

  it('for one that is gone, whatever it was about to become', () => {
    const without = meshOf('{ trustDomain: shop.example, services: { ledger: {}, web: {} } }');
    const { tracks } = afterEdits(meshWith('mtls: disable'), wanted, without);
    expect(tracks.size).toBe(0);
  });

  it('for one that means the same, and what is published is the mesh as it was read', () => {
    const again = meshWith('mtls: strict', '\n# a remark');
    const { tracks, published } = afterEdits(wanted, again);
    expect([tracks.size, published === again]).toEqual([0, true]);
  });
});

describe('a change that overtakes another', () => {
  it('plain-text callers of before are still waited for when a second edit comes early', () => {
    const disable = meshWith(`mtls: disable, ${ANYONE}`);
    const strict = meshWith(`mtls: strict, ${WEB}`);
    const again = meshWith(`mtls: strict, ${WEB}`, '  more: {}');
    const state = afterEdits(disable, strict, again);
    expect(meshesOf(state).map(standIn)).toEqual([
      'strict web | disable anyone | plain text',
      'strict web | disable anyone | TLS',
      'strict web | - | TLS',
    ]);
    expect([...state.published.services.keys()]).toContain('more');
    const [sinceMs] = [...state.tracks.values()].map((track) => track.sinceMs);
    expect(sinceMs, 'the edit does not touch it').toBe(0);
  });

  it('the same for an edit in two steps: DISABLE, PERMISSIVE, STRICT', () => {
    const [disable, permissive, strict] = ['disable', 'permissive', 'strict'].map((mode) =>
      meshWith(`mtls: ${mode}, ${ANYONE}`),
    );
    if (disable === undefined || permissive === undefined || strict === undefined)
      throw new Error();
    expect(standsOf(disable, permissive, strict)).toEqual([
      'strict anyone | disable anyone | plain text',
      'strict anyone | disable anyone | TLS',
      'strict anyone | - | TLS',
    ]);
  });

  it('turned back before anybody took it, it is one step', () => {
    const disable = meshWith(`mtls: disable, ${ANYONE}`);
    expect(standsOf(disable, meshWith(`mtls: strict, ${WEB}`), disable)).toEqual([
      '- | disable anyone | plain text',
    ]);
  });
});

describe('a change of TLS settings', () => {
  const tls = (text: string): string => `mtls: strict, tls: { ${text} }`;
  /** Of the server and of its callers. */
  const settings = (from: string, to: string): string[] =>
    meshesOf(afterEdits(meshWith(tls(from)), meshWith(tls(to)))).map((mesh) => {
      const port = portOf(mesh, 'ledger:8080');
      const ends = [toServed(port).tls, toCallersForm(port)].map((form) => {
        const { minVersion, maxVersion, curves } = (form ?? port).tls;
        return `${minVersion}-${maxVersion} ${curves.join(',')}`;
      });
      return ends.join(' | ');
    });

  it.each<[string, string, string, string[]]>([
    [
      'versions without one in common: the server takes either first, then callers move',
      'minVersion: TLSv1_2, maxVersion: TLSv1_2, curves: [P-256]',
      'minVersion: TLSv1_3, curves: [P-256]',
      [
        'TLSv1_2-TLSv1_3 P-256 | TLSv1_2-TLSv1_2 P-256',
        'TLSv1_2-TLSv1_3 P-256 | TLSv1_3-TLSv1_3 P-256',
        'TLSv1_3-TLSv1_3 P-256 | TLSv1_3-TLSv1_3 P-256',
      ],
    ],
    [
      'curves without one in common: the server takes either first, then callers move',
      'curves: [P-256]',
      'curves: [X25519]',
      [
        'TLSv1_3-TLSv1_3 X25519,P-256 | TLSv1_3-TLSv1_3 P-256',
        'TLSv1_3-TLSv1_3 X25519,P-256 | TLSv1_3-TLSv1_3 X25519',
        'TLSv1_3-TLSv1_3 X25519 | TLSv1_3-TLSv1_3 X25519',
      ],
    ],
    [
      'a floor that the old settings reach is one step',
      'minVersion: TLSv1_2, curves: [P-256]',
      'minVersion: TLSv1_3, curves: [P-256]',
      ['TLSv1_3-TLSv1_3 P-256 | TLSv1_3-TLSv1_3 P-256'],
    ],
  ])('%s', (_name, from, to, wanted) => {
    expect(settings(from, to)).toEqual(wanted);
  });
});
