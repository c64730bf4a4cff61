// The container `demo` of docker-compose.yml: tells the story, then says what changes for a caller
// outside of the mesh whenever mesh.yaml is edited. Usage: node story-main.js <mesh.yaml> <told>
// `told` is a file that is there once the story has been told, so that a restart edits nothing.
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { httpCall } from '../http-client.js';
import { replaceFile } from '../replace-file.js';
import { delay, eventually } from '../wait.js';
import { callOnce, PROTOCOLS } from './calls.js';
import { type Outcome, toOutcome } from './outcome.js';
import { CALLS, type Stage, tellStory } from './story.js';

const WEB = { address: 'web', port: 8080 };
const [mesh = '', told = ''] = process.argv.slice(2);

function byStranger(call: string): Promise<Outcome> {
  const [name, host = '', port] = call.split('/');
  const protocol = PROTOCOLS.find((one) => one === name) ?? 'tcp';
  return callOnce({ protocol, host, port: Number(port) });
}

const stage: Stage = {
  byWeb: (call) =>
    toOutcome(async () => {
      const { status, body } = await httpCall({ ...WEB, path: `/${call}` });
      if (status !== 200) return { ok: false, text: `web answered ${status}` };
      return JSON.parse(body) as Outcome;
    }),
  byStranger,
  async edit(mode) {
    const text = await readFile(mesh, 'utf8');
    await replaceFile(mesh, text.replace(/^mtls: \w+/m, `mtls: ${mode}`));
  },
  say: (line) => void process.stdout.write(`${line}\n`),
  until: async (what, look) => {
    await eventually(look, { what, timeoutMs: 60_000, intervalMs: 200 });
  },
};

/** For ever: a line for each call of a stranger, when it comes out otherwise than before. */
async function watch(): Promise<void> {
  const before = new Map<string, boolean>();
  for (;;) {
    for (const call of CALLS) {
      const { ok, text } = await byStranger(call);
      const last = before.get(call);
      before.set(call, ok);
      if (last !== ok) stage.say(`stranger -> ${call}  ${text}`);
    }
    await delay(1_000);
  }
}

/** Whether the story came out as it should, now or before. */
async function tellOnce(): Promise<boolean> {
  if (existsSync(told)) {
    stage.say('the story was told before this restart: the mesh is left as it is');
    return true;
  }
  try {
    await tellStory(stage);
    await writeFile(told, '');
    return true;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return false;
  }
}

if (await tellOnce()) {
  stage.say('now edit envoy-examples/compose/mesh.yaml, and run: docker compose run --rm mesh');
  await watch();
} else {
  process.exitCode = 1;
}
