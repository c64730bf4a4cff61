// An xDS server: Envoy answers every request with the line that was typed last (README.md).
//   node server.mjs [xds port] [listener port]
import { createInterface } from 'node:readline';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { attachDiscovery, createSnapshotCache, serverOptions, shutdown } from 'countersign/xds';
import { toSnapshot } from './resources.mjs';

const [xdsPort = '18000', port = '10000'] = process.argv.slice(2);
const address = `127.0.0.1:${xdsPort}`;
const server = new Server(serverOptions());

// One snapshot for all; a group could be a service, a region or a single node.
const cache = createSnapshotCache({ groupOf: () => 'all' });
const answer = (text) => cache.set('all', toSnapshot({ text, port: Number(port) }));
answer('hello');

function print(stream, update) {
  const reason = update.kind === 'nacked' ? `: ${update.rejection.message}` : '';
  process.stdout.write(`${stream.auth} ${update.kind} ${update.typeUrl}${reason}\n`);
}

const discovery = attachDiscovery(server, {
  // Whose stream is this? In production: check a token or a certificate, and throw to refuse.
  authenticate: ({ node }) => node.id,
  hooks: [cache.hooks, { onUpdate: print }],
});

server.bindAsync(address, ServerCredentials.createInsecure(), (error) => {
  if (error !== null) throw error;
  process.stdout.write(`serving xDS on ${address}\n`);
});

createInterface({ input: process.stdin }).on('line', answer);

process.once('SIGTERM', () => {
  const stopped = shutdown({ server, addresses: [address], discovery, graceMs: 1_000 });
  void stopped.then(() => process.exit(0));
});
