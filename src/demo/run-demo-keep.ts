import { join } from 'node:path';
import type { DemoMesh } from './run-demo-mesh.js';
import type { DemoReport } from './run-demo-report.js';

/** What a user can try while the demo's mesh keeps running. */
export async function printAddresses(mesh: DemoMesh, report: DemoReport): Promise<void> {
  const ledger = mesh.node('payments/ledger');
  const fromWeb = await mesh.addressOf('payments/ledger', 'web');
  const { folder } = await mesh.certificate('reports');
  const name = `ledger.payments:${ledger.port}`;
  const tls = ['key', 'cert'].map((part) => `--${part} ${join(folder, `${part}.pem`)}`).join(' ');
  const connect = `--connect-to ${name}:${ledger.address}:${ledger.port}`;
  const try_ = (what: string, command: string): void => {
    report.line(`   ${what}`);
    report.line(`     ${command}`);
  };
  report.heading('Running until Ctrl-C. To try:');
  try_('as web, through its sidecar (200)', `curl -i http://${fromWeb}:${ledger.port}/accounts`);
  try_(
    'in plain text (refused; edit the mesh to let it in again)',
    `curl -i http://${ledger.address}:${ledger.port}/public/rates`,
  );
  try_(
    'with the certificate of reports (403; 200 for /public/rates)',
    `curl -i ${tls} --cacert ${join(folder, 'bundle.pem')} ${connect} https://${name}/accounts`,
  );
  try_('the mesh, reloaded when it changes', mesh.meshPath);
  try_('what each sidecar has', `npx countersign status --server ${mesh.admin}`);
  try_(
    "each Envoy's admin interface",
    mesh.nodes.map(({ envoy }) => `http://${envoy.admin.address}:${envoy.admin.port}`).join(' '),
  );
}
