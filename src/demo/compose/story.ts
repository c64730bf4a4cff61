// What docker-compose.yml shows: calls inside of the mesh and from outside, before and after the
// mesh's mode is edited. Every line is an answer that an application gave, or its refusal.
import type { Outcome } from './outcome.js';

export interface Stage {
  /** A call by the application `web`, through its sidecar. */
  byWeb(call: string): Promise<Outcome>;
  /** A call in plain text, by this container, which has no sidecar and no identity. */
  byStranger(call: string): Promise<Outcome>;
  /** Puts the mesh's mode into mesh.yaml. */
  edit(mode: 'permissive' | 'strict'): Promise<void>;
  say(line: string): void;
  /** Calls `look` until it returns true. Rejects with the reason after a while. */
  until(what: string, look: () => Promise<boolean>): Promise<void>;
}

export const CALLS = ['http/ledger/8080', 'tcp/cache/6379', 'grpc/stock/9090'] as const;

/** Tells the story once. Rejects where something doesn't come out as it should. */
export async function tellStory(stage: Stage): Promise<void> {
  const { say } = stage;
  const every = async (by: (call: string) => Promise<Outcome>, ok: boolean): Promise<boolean> => {
    const outcomes = await Promise.all(CALLS.map(by));
    return outcomes.every((outcome) => outcome.ok === ok);
  };
  const show = async (who: string, by: (call: string) => Promise<Outcome>): Promise<void> => {
    for (const call of CALLS) {
      const [protocol, host, port] = call.split('/');
      say(`  ${who} -> ${host}:${port} (${protocol})  ${(await by(call)).text}`);
    }
  };
  await stage.edit('permissive');
  await stage.until('web to reach every service', () => every(stage.byWeb, true));
  await stage.until('plain text to be accepted', () => every(stage.byStranger, true));
  say('mtls: permissive. Sidecars speak mTLS among themselves, and plain text is still accepted:');
  await show('web     ', stage.byWeb);
  await show('stranger', stage.byStranger);

  say('editing mesh.yaml: mtls: strict, while web goes on calling');
  const calls = keepCalling(stage);
  await stage.edit('strict');
  await stage.until('plain text to be refused', () => every(stage.byStranger, false));
  await stage.until('30 calls since the edit', async () => calls.made() >= 30);
  const { made, failed } = await calls.stop();
  say(`  web made ${made} calls meanwhile, ${failed} failed`);
  await show('web     ', stage.byWeb);
  await show('stranger', stage.byStranger);
  if (failed > 0) throw new Error(`${failed} of ${made} calls failed`);
}

/** Calls of web, one after the other, until it is stopped. */
function keepCalling({ byWeb }: Stage): {
  made(): number;
  stop(): Promise<{ readonly made: number; readonly failed: number }>;
} {
  let made = 0;
  let failed = 0;
  let stopped = false;
  const loop = (async () => {
    while (!stopped) {
      const { ok } = await byWeb(CALLS[made % CALLS.length] ?? CALLS[0]);
      made++;
      if (!ok) failed++;
    }
  })();
  return {
    made: () => made,
    async stop() {
      stopped = true;
      await loop;
      return { made, failed };
    },
  };
}
