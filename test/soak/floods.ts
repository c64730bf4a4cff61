import { fileURLToPath } from 'node:url';
import { XDS_SERVER_NAME } from '../../src/ca/xds/index.js';
import type { Fault } from './fault.js';

/** As test/siege has them (bench/floods.mjs). */
const STRANGERS = [
  ...['rst', 'idle', 'preface', 'rapid-reset', 'continuation'],
  ...['ping', 'settings', 'partial', 'streams'],
];
const INSIDERS = ['names', 'types', 'ids', 'nacks', 'mute', 'tokens'];
const PROGRAM = fileURLToPath(new URL('../../bench/floods.mjs', import.meta.url));

function flood(name: string, kinds: readonly string[]): Fault {
  return {
    name,
    of: ['network'],
    async run(world, luck) {
      const { xds, hostileToken: token } = world;
      const some = [luck.one(kinds), luck.one(kinds)];
      const to = { ...xds, servername: XDS_SERVER_NAME, service: 'batch', token };
      const bounds = { forMs: luck.between(2_000, 8_000), most: 50, idle: 300 };
      const options = JSON.stringify({ kinds: some, ...to, ...bounds });
      const floods = await world.process('floods', process.execPath, [PROGRAM, options]);
      const { code, stderr } = await floods.ended;
      if (code !== 0) throw new Error(`the floods ended with ${code}: ${stderr}`);
    },
  };
}

export const FLOOD_FAULTS: readonly Fault[] = [
  flood('a flood of strangers', STRANGERS),
  flood('a flood of one good token', INSIDERS),
];
