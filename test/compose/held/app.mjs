// Answers at each of its ports on 0.0.0.0 with what it was told about the caller, and at /call with
// what came of its own calls of whomever its variables name.
import { createServer } from 'node:http';
import { redis } from './wire.mjs';

async function call(url) {
  if (url.startsWith('redis:')) return redis(url, 'PING');
  return (await fetch(url, { signal: AbortSignal.timeout(5_000) })).text();
}

async function answer({ url, headers }, response) {
  const named = Object.entries(process.env).filter(([name]) => name.endsWith('_URL'));
  try {
    const said =
      url === '/call'
        ? await Promise.all(named.map(async ([name, to]) => [name, await call(to)]))
        : [['caller', headers['x-forwarded-client-cert'] ?? 'nobody']];
    response.end(JSON.stringify(Object.fromEntries(said)));
  } catch (error) {
    response.writeHead(500).end(String(error));
  }
}

for (const port of process.argv.slice(2)) createServer(answer).listen(Number(port), '0.0.0.0');
