import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { Cli, MESH } from './cli.js';

const TYPES = ['lds', 'cds', 'eds', 'rds', 'ecds', 'sds'];

async function render(...argv: string[]) {
  const cli = new Cli();
  cli.write('mesh.yaml', MESH);
  return cli.run('render', '<dir>/mesh.yaml', ...argv);
}

/** What is on stdout, by type and name. */
function namesOf(stdout: string): string[] {
  const { resources } = parse(stdout, { version: '1.1' });
  return resources.map((resource: Record<string, string>) => {
    const type = resource['@type']?.split('.').at(-1);
    return `${type} ${resource['name'] ?? resource['cluster_name']}`;
  });
}

describe('render', () => {
  test('everything, grouped by type, each with its place', async () => {
    const { code, stdout, stderr } = await render('web');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(namesOf(stdout)).toEqual([
      'Listener mesh',
      'Listener inbound:8080',
      'Listener outbound:legacy:3306',
      'Listener outbound:payments/ledger:9000',
      'Listener outbound:web:8080',
      'Cluster local:8080',
      'Cluster legacy:3306',
      'Cluster payments/ledger:9000',
      'Cluster web:8080',
      'ClusterLoadAssignment legacy:3306',
      'ClusterLoadAssignment payments/ledger:9000',
      'ClusterLoadAssignment web:8080',
      'RouteConfiguration inbound:8080',
      'Secret default',
      'Secret ROOTCA',
    ]);
    expect(stdout).toContain('  # cds, from <dir>/mesh.yaml:5:7\n  - "@type": ');
    expect(stdout).not.toContain('PRIVATE KEY');
  });

  test('a workload is shown only what it may use', async () => {
    const { stdout } = await render('payments/ledger', '--type', 'cds,ecds');
    const names = namesOf(stdout);
    expect(names).toContain('TypedExtensionConfig countersign.allow:9000');
    expect(names).not.toContain('Cluster payments/ledger:9000');
  });

  test('the types in one order, whatever the order asked for', async () => {
    const { stdout } = await render('web', '--type', 'SDS, rds');
    const names = ['RouteConfiguration inbound:8080', 'Secret default', 'Secret ROOTCA'];
    expect(namesOf(stdout)).toEqual(names);
  });

  test('--address and --outbound', async () => {
    const where = ['--address', '10.0.0.3', '--outbound', '127.65.3.0/24'];
    const { stdout } = await render('web', '--type', 'lds', '--json', ...where);
    const { resources } = JSON.parse(stdout);
    const addresses = resources.map(
      (one: { address: { socket_address: { address: string } } }) =>
        one.address.socket_address.address,
    );
    expect(addresses.slice(0, 2)).toEqual(['10.0.0.3', '10.0.0.3']);
    expect(addresses).toHaveLength(5);
    for (const address of addresses.slice(2)) expect(address).toMatch(/^127\.65\.3\.\d+$/);
  });

  test('YAML and JSON say the same, read by YAML 1.1 as by 1.2', async () => {
    for (const type of TYPES) {
      const json = JSON.parse((await render('web', '--type', type, '--json')).stdout);
      const { stdout } = await render('web', '--type', type);
      expect(parse(stdout, { version: '1.1' })).toEqual(json);
      expect(parse(stdout, { version: '1.2' })).toEqual(json);
    }
    expect(TYPES.length).toBeGreaterThan(0);
  });
});
