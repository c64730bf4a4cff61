// The numbered folders of envoy-examples: each README is followed to the letter, on a host of its
// own, and prints what it shows. They share envoy-examples/lib.sh.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  checkout,
  createReader,
  lackOfHosts,
  ROOT,
  readSteps,
  startHost,
} from '../documents/index.js';
import { describeEnvoy, useHarness } from '../harness/index.js';

const EXAMPLES = [
  'envoy-examples/01-two-services-by-hand',
  'envoy-examples/02-permissive-to-strict',
  'envoy-examples/03-per-port-exceptions',
  'envoy-examples/04-access-rules',
  'envoy-examples/05-client-without-sidecar',
  'envoy-examples/06-plugged-in-ca-and-root-rotation',
  'envoy-examples/07-static-envoy-with-sds-only',
  'envoy-examples/08-xds-library',
] as const;
/** Of other tests: one needs Docker (test/compose), one is about two machines. */
const ELSEWHERE = [
  'envoy-examples/09-compose-file-meshed',
  'envoy-examples/10-vm-with-systemd-and-capture',
];
/** What a heading needs beyond the README's own list; it is left out where that isn't there. */
const NEEDS: Readonly<Record<string, string>> = { Java: 'keytool' };

const lack = lackOfHosts();

await describeEnvoy('envoy-examples', {}, ({ binary }) => {
  describe.skipIf(lack !== undefined)(lack === undefined ? 'each' : `[skipped: ${lack}]`, () => {
    const harness = useHarness('examples');

    test('are all of the numbered folders, and listed', () => {
      const folders = readdirSync(join(ROOT, 'envoy-examples')).filter((name) =>
        /^\d\d-/.test(name),
      );
      const here = folders.map((name) => `envoy-examples/${name}`);
      expect(here.filter((path) => !ELSEWHERE.includes(path))).toEqual([...EXAMPLES]);
      const list = readFileSync(join(ROOT, 'envoy-examples/README.md'), 'utf8');
      expect(folders.filter((name) => !list.includes(`(${name})`))).toEqual([]);
    });

    test.concurrent.each(EXAMPLES)('%s', async (path) => {
      const host = await startHost(harness, path);
      const cwd = join(checkout(host.folder), path);
      const reader = createReader(harness, {
        ...{ host, cwd, home: cwd, path: [dirname(process.execPath)] },
        env: { ENVOY_BIN: binary },
      });
      const steps = readSteps(`${path}/README.md`);
      await reader.follow(steps.filter(({ headings }) => headings.every(isPossible)));
    });
  });
});

function isPossible(heading: string): boolean {
  const needed = NEEDS[heading];
  return needed === undefined || spawnSync(needed, ['-help']).error === undefined;
}
