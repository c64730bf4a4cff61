// Addresses on the command line: what tokens are bound to, and what can't be a sidecar's.
import { describe, expect, it } from 'vitest';
import { Cli } from './cli.js';

const DATA = ['--data', '<dir>/data'];

async function withData(): Promise<Cli> {
  const cli = new Cli();
  await cli.prepareData();
  return cli;
}

function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
}

describe('token --address', () => {
  it('binds the token to each, in one spelling, and says so', async () => {
    const cli = await withData();
    const address = ['--address', '::ffff:10.0.0.7,FD00::0:7', '--address', '10.1.0.0/16'];
    const { stdout, stderr } = await cli.run('token', 'web', ...address, ...DATA);
    expect(claimsOf(stdout)['addresses']).toEqual(['10.0.0.7', 'fd00::7', '10.1.0.0/16']);
    expect(stderr).toContain(' for web at 10.0.0.7, fd00::7, 10.1.0.0/16, expires ');
  });

  it.each<[string, readonly string[], string]>([
    ['no address', ['web', '--address', 'ledger'], 'expected an IP address, or a range of them'],
    ['no service', ['--admin', '--address', '10.0.0.7'], 'expected --address with a service'],
  ])('is refused with %s', async (_, argv, words) => {
    const cli = await withData();
    const { code, stderr } = await cli.run('token', ...argv, ...DATA);
    expect([code, stderr]).toEqual([2, expect.stringContaining(words)]);
  });
});

describe.each(['token', 'bootstrap'])('%s --address', (command) => {
  it.each(['169.254.169.254', '::ffff:a9fe:a9fe', '64:ff9b::a00:1', '0.0.0.0'])(
    'is refused where nobody can be called at %s',
    async (address) => {
      const cli = await withData();
      const { code, stderr } = await cli.run(command, 'web', '--address', address, ...DATA);
      expect([code, stderr]).toEqual([1, expect.stringContaining('that a sidecar can have')]);
    },
  );

  it('takes what is allowed', async () => {
    const cli = await withData();
    const argv = ['--address', '169.254.7.1', '--allow-address', '169.254.7.0/24'];
    expect(await cli.run(command, 'web', ...argv, ...DATA)).toMatchObject({ code: 0 });
  });
});
