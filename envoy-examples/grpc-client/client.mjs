// A client of the xDS port, made from the .proto files alone: asks for health, then for a
// certificate. `node client.mjs <host:port> <anchor file> <token file> <file of a CSR>`
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

const [address, anchorFile, tokenFile, csrFile] = process.argv.slice(2);
const includeDirs = [fileURLToPath(new URL('../../protos', import.meta.url))];
const files = ['countersign/health.proto', 'countersign/istio-ca.proto'];
const protos = grpc.loadPackageDefinition(loadSync(files, { includeDirs, enums: String }));

// The server is known by its anchor and its fixed name, whatever address it is reached at.
const credentials = grpc.credentials.createSsl(readFileSync(anchorFile));
const options = { 'grpc.ssl_target_name_override': 'xds.countersign.internal' };
const health = new protos.grpc.health.v1.Health(address, credentials, options);
const certificates = new protos.istio.v1.auth.IstioCertificateService(
  address,
  credentials,
  options,
);

const { status } = await promisify(health.Check).call(health, {});
process.stderr.write(`health: ${status}\n`);

const metadata = new grpc.Metadata();
metadata.set('authorization', `Bearer ${readFileSync(tokenFile, 'utf8').trim()}`);
const request = { csr: readFileSync(csrFile, 'utf8') };
const create = promisify(certificates.CreateCertificate).bind(certificates);
const { certChain } = await create(request, metadata);
// The leaf and what issued it; the last entry is the trust anchors.
process.stdout.write(certChain.slice(0, -1).join(''));

health.close();
certificates.close();
