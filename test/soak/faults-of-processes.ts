import { delay } from '../../src/demo/wait.js';
import { type Fault, LEAF_LEFT_MS, UNRENEWED } from './fault.js';
import { SIDECARS } from './world.js';

const READY_MS = 30_000;

export const PROCESS_FAULTS: readonly Fault[] = [
  {
    name: 'kill -9 of the server',
    of: ['server'],
    async run({ server, windows }, luck) {
      windows.open(UNRENEWED, { afterMs: LEAF_LEFT_MS });
      for (let times = luck.between(1, 3); times > 0; times--) {
        server.signal('SIGKILL');
        await delay(luck.between(0, 1_500));
      }
      await server.untilReady();
    },
  },
  {
    name: 'the server is stopped in order, and started',
    of: ['server'],
    async run({ server, windows }) {
      windows.open(UNRENEWED, { afterMs: LEAF_LEFT_MS });
      server.signal('SIGTERM');
      await server.untilReady();
    },
  },
  {
    name: 'SIGSTOP of the server',
    of: ['server'],
    async run({ server, windows }, luck) {
      windows.open(UNRENEWED, { afterMs: LEAF_LEFT_MS });
      server.signal('SIGSTOP');
      try {
        await delay(luck.between(500, 14_000));
      } finally {
        server.signal('SIGCONT');
      }
    },
  },
  {
    name: 'kill -9 of a sidecar',
    of: ['sidecar'],
    async run(world, luck) {
      const name = luck.one(SIDECARS);
      world.windows.open(`the sidecar of ${name} is away`, { through: name });
      await world.envoy(name).process.kill();
      await delay(luck.between(0, 3_000));
      await world.startSidecar(name);
      await world.envoy(name).waitReady(READY_MS);
    },
  },
  {
    name: 'SIGSTOP of a sidecar',
    of: ['sidecar'],
    async run(world, luck) {
      const name = luck.one(SIDECARS);
      const { process } = world.envoy(name);
      world.windows.open(`the sidecar of ${name} is away`, { through: name });
      process.signal('SIGSTOP');
      try {
        await delay(luck.between(200, 14_000));
      } finally {
        process.signal('SIGCONT');
      }
    },
  },
];
