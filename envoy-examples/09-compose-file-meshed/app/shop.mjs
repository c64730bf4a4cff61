// The shop: products from the catalog, orders into the queue, and what became of them.
import { createSocket } from 'node:dgram';
import { createServer } from 'node:http';
import { grpc, query, redis } from './wire.mjs';

const { PORT, DATABASE_URL, QUEUE_URL, CATALOG_URL, STATSD_HOST } = process.env;
const statsd = createSocket('udp4');
statsd.on('error', () => {});

const PAGES = {
  'GET /': () => 'the shop',
  'GET /products': () => grpc(CATALOG_URL, '/shop.Catalog/List'),
  'GET /orders': async () => {
    const rows = await query(DATABASE_URL, 'select name, packed_by from orders order by id');
    return rows.map((row) => row.join(' packed by ')).join('\n');
  },
  'POST /orders': async (name) => {
    await redis(QUEUE_URL, 'LPUSH', 'orders', name);
    return `ordered ${name}`;
  },
};

const server = createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', async () => {
    statsd.send(`shop.requests:1|c`, 8125, STATSD_HOST);
    const page = PAGES[`${request.method} ${request.url}`];
    try {
      const text = await page?.(Buffer.concat(parts).toString());
      response.writeHead(page === undefined ? 404 : 200).end(`${text ?? 'no such page'}\n`);
    } catch (error) {
      response.writeHead(502).end(`${error.message}\n`);
    }
  });
});
server.listen(Number(PORT));
