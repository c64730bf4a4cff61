// The built server, as `serve` starts it, but for one thing: it puts every edit in force at once.
// The walk must see that this fails requests; no flag or variable of the product does it.
import { parseArgs } from 'node:util';
import { startServer } from '../../dist/server/index.js';

const { values } = parseArgs({
  options: Object.fromEntries(
    ['mesh', 'data', 'xds', 'admin'].map((name) => [name, { type: 'string' }]),
  ),
});
const toHostPort = (text) => {
  const [host, port] = text.split(':');
  return { host, port: Number(port) };
};
const quiet = () => undefined;
const server = await startServer({
  ...{ meshPath: values.mesh, dataPath: values.data, isOnePhase: true },
  ...{ xds: toHostPort(values.xds), admin: toHostPort(values.admin) },
  logger: { debug: quiet, info: quiet, warn: quiet, error: quiet },
});
process.once('SIGTERM', () => void server.close());
process.stdout.write(
  `ready: xds ${values.xds}, admin ${values.admin}, mesh ${server.mesh.version}\n`,
);
