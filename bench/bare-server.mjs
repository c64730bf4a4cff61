// What grpc-js alone costs: a server on TLS that reads each stream's first request, answers it with
// an empty message, and then holds the stream. It keeps nothing of what it read.
import { readFileSync } from 'node:fs';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { DIST, receiveOptions } from './processes.mjs';

const { keyPath, certificatePath, method, answer } = await receiveOptions();
const { serverOptions } = await import(new URL('grpc/index.js', DIST));
const raw = (bytes) => bytes;
const codec = {
  ...{ requestSerialize: raw, requestDeserialize: raw },
  ...{ responseSerialize: raw, responseDeserialize: raw },
};
const first = Buffer.from(answer, 'base64');

const server = new Server(serverOptions());
server.addService(
  { hold: { path: method, requestStream: true, responseStream: true, ...codec } },
  {
    hold: (call) => {
      call.once('data', () => call.write(first));
      call.on('data', () => undefined);
      call.on('error', () => undefined);
    },
  },
);
const credentials = ServerCredentials.createSsl(null, [
  { private_key: readFileSync(keyPath), cert_chain: readFileSync(certificatePath) },
]);
server.bindAsync('127.0.0.1:0', credentials, (error, port) => {
  if (error) throw error;
  process.send({ kind: 'listening', port });
});
