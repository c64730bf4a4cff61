// Counts datagrams, and says so.
import { createSocket } from 'node:dgram';

const socket = createSocket('udp4');
let count = 0;
socket.on('message', (message) => {
  count += 1;
  process.stdout.write(`${count}: ${message}\n`);
});
socket.bind(8125);
