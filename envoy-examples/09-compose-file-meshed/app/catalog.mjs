// A gRPC service of one method: the products, and which replica answers.
import { createServer } from 'node:http2';
import { hostname } from 'node:os';

const PRODUCTS = `lamp, table, chair (by ${hostname()})`;

const server = createServer();
server.on('stream', (stream, headers) => {
  stream.on('error', () => {});
  stream.resume();
  if (headers[':path'] !== '/shop.Catalog/List') {
    stream.respond(
      { 'content-type': 'application/grpc', 'grpc-status': '12' },
      { endStream: true },
    );
    return;
  }
  stream.respond({ 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  const message = Buffer.concat([Buffer.from([0x0a, PRODUCTS.length]), Buffer.from(PRODUCTS)]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  stream.end(Buffer.concat([head, message]));
});
server.listen(50_051);
