// The calling application of docker-compose.yml: `GET /<http|tcp|grpc>/<host>/<port>` makes that
// call, and answers with what came of it. Usage: node caller-main.js <address> <port>
import { createServer } from 'node:http';
import { type CallTarget, callOnce, PROTOCOLS } from './calls.js';

function tryTarget(path: string): CallTarget | undefined {
  const [, name, host = '', portText = ''] = path.split('/');
  const protocol = PROTOCOLS.find((one) => one === name);
  const port = Number(portText);
  if (protocol === undefined || !/^[a-z][a-z0-9-]*$/.test(host)) return undefined;
  return Number.isInteger(port) && port > 0 && port < 65536 ? { protocol, host, port } : undefined;
}

const [address, port] = process.argv.slice(2);
const server = createServer((request, response) => {
  const target = tryTarget(request.url ?? '');
  if (target === undefined) {
    response.writeHead(404).end('expected /<http|tcp|grpc>/<host>/<port>\n');
    return;
  }
  void callOnce(target).then((outcome) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(outcome));
  });
});
server.listen(Number(port), address, () => {
  process.stdout.write(`listens on ${address}:${port}\n`);
});
