import { Option } from 'commander';
import { MeshError } from '../base/index.js';
import { parseOutboundPrefix } from '../server/addresses/index.js';
import { hintOf } from '../terminal/index.js';
import { usage } from './options.js';

/** `--outbound`: a loopback prefix, checked here and passed on as it was written. */
export function outboundOption(description: string): Option {
  return new Option('--outbound <cidr>', description).argParser((text: string) => {
    try {
      parseOutboundPrefix(text);
      return text;
    } catch (error) {
      if (error instanceof MeshError) throw usage(`--outbound: ${error.message}`, hintOf(error));
      throw error;
    }
  });
}
