// Calls of web to the ledger, as fast as they are answered, from a program in web's own container.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { ROOT } from './docker.js';

export interface LoadEnd {
  readonly calls: number;
  readonly failed: number;
  /** How many answers came from which application, and what else came. */
  readonly by: Readonly<Record<string, number>>;
  readonly slowestMs: number;
}

/** Eight connections that are kept, and four callers with a new one for each call. */
const SCRIPT = `
const http = require('node:http');
const by = {}; let calls = 0, failed = 0, slowestMs = 0, ends = false;
const count = (what, bad) => { by[what] = (by[what] ?? 0) + 1; calls++; if (bad) failed++; };
const once = (agent) => new Promise((resolve) => {
  const from = performance.now();
  const end = (what, bad) => {
    count(what, bad); slowestMs = Math.max(slowestMs, performance.now() - from); resolve();
  };
  const at = { host: 'ledger', port: 8080, path: '/' };
  const call = http.get({ ...at, agent, timeout: 10000 }, (answer) => {
    let text = '';
    answer.on('data', (chunk) => { text += chunk; });
    answer.on('error', (error) => end(error.code ?? 'error', true));
    answer.on('end', () => {
      if (answer.statusCode !== 200) return end(String(answer.statusCode), true);
      end(JSON.parse(text).service, false);
    });
  });
  call.on('timeout', () => call.destroy(new Error('timeout')));
  call.on('error', (error) => end(error.code ?? error.message, true));
});
const worker = async (isKept) => {
  const agent = isKept ? new http.Agent({ keepAlive: true, maxSockets: 1 }) : undefined;
  while (!ends) {
    await once(agent ?? new http.Agent());
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  agent?.destroy();
};
process.stdin.resume().on('end', () => { ends = true; });
process.stdin.on('data', () => process.stdout.write(JSON.stringify({ calls, failed, by }) + '\\n'));
const workers = [...Array(8).fill(true), ...Array(4).fill(false)].map(worker);
Promise.all(workers).then(() => {
  const end = { calls, failed, by, slowestMs: Math.round(slowestMs) };
  process.stdout.write(JSON.stringify(end) + '\\n');
  process.exit(0);
});
`;

export class ComposeLoad {
  readonly #child: ChildProcessWithoutNullStreams;
  #lines: string[] = [];
  #waiters: (() => void)[] = [];

  constructor() {
    const args = ['compose', 'exec', '-T', 'web-application', 'node', '-e', SCRIPT];
    this.#child = spawn('docker', args, { cwd: ROOT });
    let rest = '';
    this.#child.stdout.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split('\n');
      rest = lines.pop() ?? '';
      this.#lines.push(...lines);
      for (const wake of this.#waiters.splice(0)) wake();
    });
    this.#child.once('close', () => {
      for (const wake of this.#waiters.splice(0)) wake();
    });
  }

  /** So far. */
  async look(): Promise<Pick<LoadEnd, 'calls' | 'failed' | 'by'>> {
    this.#child.stdin.write('\n');
    return JSON.parse(await this.#line()) as LoadEnd;
  }

  async stop(): Promise<LoadEnd> {
    this.#child.stdin.end();
    return JSON.parse(await this.#line()) as LoadEnd;
  }

  async #line(): Promise<string> {
    while (this.#lines.length === 0) {
      if (this.#child.exitCode !== null) throw new Error('the load has ended');
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
    return this.#lines.shift() ?? '';
  }
}
