import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitNodeId, splitNodeText, toNodeId, tryInstance } from '../../src/spiffe/index.js';
import { meshErrorOf } from '../x509/tools.js';

const service = 'payments/ledger';

describe('the name of an instance', () => {
  it.each(['a', 'run-7', '10.0.0.3', 'fd00::', '::1', 'fd00::1', 'A_b.c:d-', 'a'.repeat(128)])(
    '%s',
    (instance) => {
      expect(tryInstance(instance)).toBe(instance);
      expect(splitNodeId(toNodeId({ service, instance }))).toEqual({ service, instance });
    },
  );

  it.each(['', '-a', '.', '_a', 'a~b', 'a/b', 'a b', 'a\n', 'é', 'fe80::1%eth0', 'a'.repeat(129)])(
    'not %j',
    async (instance) => {
      expect(tryInstance(instance)).toBeUndefined();
      const error = await meshErrorOf(() => toNodeId({ service, instance }));
      expect(error.code).toBe('identity-invalid');
    },
  );

  it('every IP address in its canonical spelling', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (address) => {
        expect(tryInstance(address)).toBe(address);
      }),
    );
  });
});

it('what an Envoy says in node.id is split at the first tilde', () => {
  expect(splitNodeText('web')).toEqual({ service: 'web', instance: undefined });
  expect(splitNodeText('web~a~b')).toEqual({ service: 'web', instance: 'a~b' });
  expect(splitNodeText('~')).toEqual({ service: '', instance: '' });
  expect(splitNodeText('')).toEqual({ service: '', instance: undefined });
});
