import { expect, it } from 'vitest';
import { addRenewalOrder } from '../../../src/leaves/index.js';
import { carryOutRenewals } from '../../../src/server/ca/index.js';
import { recordingLogger } from '../../fakes/recording-logger.js';
import { diskFull, MemoryDataDir } from '../../x509/tools.js';

const NODES = [
  { node: 'web~a', service: 'web' },
  { node: 'web~b', service: 'web' },
  { node: 'payments/ledger~a', service: 'payments/ledger' },
] as const;

function setup() {
  const dataDir = new MemoryDataDir();
  const logger = recordingLogger();
  const renewed: string[] = [];
  const leaves = {
    async renewNow(node: string): Promise<boolean> {
      renewed.push(node);
      return node !== 'web~b';
    },
  };
  const look = () => carryOutRenewals({ dataDir, leaves, logger, nodes: () => NODES });
  return { dataDir, logger, renewed, look };
}

it('every connected sidecar of the service gets a new leaf, once', async () => {
  const { dataDir, logger, renewed, look } = setup();
  await addRenewalOrder(dataDir, { service: 'web' });
  await addRenewalOrder(dataDir, { service: 'web' });
  await look();
  await look();
  expect(renewed).toEqual(['web~a', 'web~b']);
  expect(logger.lines).toEqual([
    {
      level: 'info',
      message: 'certificates renewed on demand',
      fields: { service: 'web', instance: undefined, nodes: 2, renewed: 1 },
    },
  ]);
});

it('one instance alone where that is meant', async () => {
  const { dataDir, renewed, look } = setup();
  await addRenewalOrder(dataDir, { service: 'payments/ledger', instance: 'a' });
  await addRenewalOrder(dataDir, { service: 'web', instance: 'b' });
  await look();
  expect(renewed.sort()).toEqual(['payments/ledger~a', 'web~b']);
});

it('an order that cannot be removed is told of, and carried out again', async () => {
  const { dataDir, renewed, look } = setup();
  await addRenewalOrder(dataDir, { service: 'web', instance: 'a' });
  dataDir.beforeWrite = () => {
    throw diskFull();
  };
  await expect(look()).rejects.toThrow('ENOSPC');
  dataDir.beforeWrite = () => undefined;
  await look();
  await look();
  expect(renewed).toEqual(['web~a', 'web~a']);
});
