// All protocol scripts over ADS, by variant. Those of one type's stream are made of them.

import { DELTA_SCRIPTS as DELTA } from './delta-scripts.js';
import { NACK_SCRIPTS } from './nack-scripts.js';
import { ON_DEMAND_SCRIPTS } from './on-demand-scripts.js';
import { REFERENCE_SCRIPTS } from './reference-scripts.js';
import type { Script } from './script.js';
import { SOTW_SCRIPTS as SOTW } from './sotw-scripts.js';
import { TTL_SCRIPTS } from './ttl-scripts.js';

const all = [...SOTW, ...DELTA, ...NACK_SCRIPTS, ...REFERENCE_SCRIPTS, ...ON_DEMAND_SCRIPTS];

export const SOTW_SCRIPTS: readonly Script[] = all.filter(({ variant }) => variant === 'sotw');
export const DELTA_SCRIPTS: readonly Script[] = all.filter(({ variant }) => variant === 'delta');
export { TTL_SCRIPTS };
