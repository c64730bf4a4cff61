// How many orders there are.
import { createServer } from 'node:http';
import { query } from './wire.mjs';

const { PORT, DATABASE_URL } = process.env;

const server = createServer(async (_request, response) => {
  try {
    const [[number]] = await query(DATABASE_URL, 'select count(*) from orders');
    response.end(`${number} orders\n`);
  } catch (error) {
    response.writeHead(502).end(`${error.message}\n`);
  }
});
server.listen(Number(PORT));
