// Packs what is ordered: from the queue into the database.
import { hostname } from 'node:os';
import { query, redis } from './wire.mjs';

const { DATABASE_URL, QUEUE_URL } = process.env;
const quote = (text) => `'${text.replaceAll("'", "''")}'`;

for (;;) {
  try {
    const name = await redis(QUEUE_URL, 'BRPOP', 'orders', '1');
    if (/^[*$]-1$/.test(name)) continue;
    const values = [name, hostname()].map(quote).join(', ');
    await query(DATABASE_URL, `insert into orders (name, packed_by) values (${values})`);
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
