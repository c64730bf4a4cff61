// A container without a sidecar, which tries every service of the shop again and again, by its name
// and at the address of its application, and says who let it in. Usage: node stranger.mjs <target>…
// with targets such as http/shop/3000, grpc/catalog/50051, postgres/db/5432, redis/queue/6379.
import { get } from 'node:http';
import { grpc, query, redis } from '/app/wire.mjs';

const DEADLINE_MS = 2_000;
const PAUSE_MS = 200;

const CALLS = {
  http: (host, port) =>
    new Promise((resolve, reject) => {
      const request = get({ host, port, path: '/', timeout: DEADLINE_MS }, (response) => {
        response.resume();
        if (response.statusCode === 200) resolve('200');
        else reject(new Error(`answered ${response.statusCode}`));
      });
      request.on('timeout', () => request.destroy(new Error('no answer')));
      request.on('error', reject);
    }),
  grpc: (host, port) => grpc(`grpc://${host}:${port}`, '/shop.Catalog/List'),
  postgres: (host, port) => query(`postgres://shop:${password()}@${host}:${port}/shop`, 'select 1'),
  redis: (host, port) => redis(`redis://${host}:${port}`, 'PING'),
};

function password() {
  return process.env.DB_PASSWORD ?? 'not-a-secret';
}

async function attempt(target) {
  const [protocol, host, port] = target.split('/');
  try {
    await Promise.race([CALLS[protocol](host, Number(port)), tooLate()]);
    return [target, 'open'];
  } catch (error) {
    return [target, `refused: ${error.message}`];
  }
}

function tooLate() {
  return new Promise((_resolve, reject) => {
    setTimeout(() => reject(new Error('no answer')), DEADLINE_MS).unref();
  });
}

const targets = process.argv.slice(2);
for (;;) {
  const outcomes = await Promise.all(targets.map(attempt));
  process.stdout.write(`${JSON.stringify(Object.fromEntries(outcomes))}\n`);
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}
