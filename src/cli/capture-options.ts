// What `capture` is told: whose calls go out as they are, what is captured, and what isn't.
import { type Command, Option } from 'commander';
import { DEFAULT_EXCLUDE } from '../capture/index.js';
import { reader, textReader, tryPort, usage } from './options.js';

export interface CaptureOptions {
  readonly mesh?: string;
  readonly uid: number;
  readonly exclude?: readonly number[];
  readonly inboundOnly?: boolean;
  readonly outboundOnly?: boolean;
  readonly dryRun?: boolean;
  readonly undo?: boolean;
  readonly sleep?: boolean;
}

/** That the image's sidecars run as. */
const SIDECAR_UID = 10_001;

/** Whom a sidecar must not run as, and why. */
const REFUSED_UIDS: ReadonlyMap<number, string> = new Map([
  [0, "whatever runs as root would go round the sidecar, and could take the rules' place"],
  [101, "nginx's images run as 101, and would go round the sidecar"],
]);

export function addCaptureOptions(command: Command): void {
  command
    .addOption(
      new Option('--mesh <path>', 'mesh.yaml, or a folder of *.yaml: whose service that is')
        .env('COUNTERSIGN_MESH')
        .argParser(textReader('--mesh')),
    )
    .addOption(
      new Option('--uid <n>', 'the user that runs the sidecar: its calls go out as they are')
        .default(SIDECAR_UID)
        .argParser(readUid),
    )
    .addOption(
      new Option(
        '--exclude <port,...>',
        `ports that are left alone; default: ${DEFAULT_EXCLUDE.join(',')}`,
      ).argParser(readPorts),
    )
    .addOption(
      new Option('--inbound-only', 'only what arrives').conflicts(['outboundOnly', 'undo']),
    )
    .addOption(new Option('--outbound-only', 'only what leaves').conflicts('undo'))
    .addOption(
      new Option('--dry-run', 'print the rules and what they close; change nothing').conflicts([
        'undo',
        'sleep',
      ]),
    )
    .addOption(new Option('--undo', 'take the rules away').conflicts('sleep'))
    .addOption(
      new Option(
        '--sleep',
        'then stay, as nobody and without rights, for a container that only holds the network',
      ),
    );
}

function readUid(text: string): number {
  const uid = /^\d{1,10}$/.test(text) ? Number(text) : -1;
  if (uid < 0 || uid >= 2 ** 32 - 1) {
    throw usage(`--uid: expected the number of a user but got ${JSON.stringify(text)}`);
  }
  const reason = REFUSED_UIDS.get(uid);
  if (reason === undefined) return uid;
  const hint = `run the sidecar as a user of its own, such as ${SIDECAR_UID}`;
  throw usage(`--uid: expected a user of the sidecar's own but got ${uid}: ${reason}`, hint);
}

const readPorts = reader({
  name: '--exclude',
  expected: 'ports from 1 to 65535',
  hint: 'such as 22, or 22,2222',
  read: (text) => {
    const ports = text.split(',').map((each) => tryPort(each.trim()));
    return ports.every((port) => port !== undefined) ? ports : undefined;
  },
});
