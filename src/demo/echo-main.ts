// The echo application as a process of its own: node echo-main.js <http|http2|tcp|grpc> <name>
// <address> <port>
import { startEchoHttp } from './echo-app.js';
import { startGrpcHealth } from './echo-grpc.js';
import { startEchoTcp } from './echo-tcp.js';

async function main([protocol, name, address, portText]: readonly string[]): Promise<number> {
  const port = Number(portText);
  if (name === undefined || address === undefined || !Number.isInteger(port) || port < 1) {
    process.stderr.write('usage: echo-main.js <http|http2|tcp|grpc> <name> <address> <port>\n');
    return 2;
  }
  const options = { name, address, port };
  try {
    if (protocol === 'tcp') await startEchoTcp(options);
    else if (protocol === 'grpc') await startGrpcHealth(options);
    else await startEchoHttp({ ...options, protocol: protocol === 'http2' ? 'http2' : 'http' });
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
  process.stdout.write(`${name} listens on ${address}:${port}\n`);
  return 0;
}

const code = await main(process.argv.slice(2));
if (code !== 0) process.exitCode = code;
