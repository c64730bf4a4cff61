// What crosses a network of the engine, as tcpdump sees it at the network's bridge.
import { type ChildProcess, spawn } from 'node:child_process';
import { docker } from './docker.js';

export interface Capture {
  /** So far; bytes as latin1. */
  seen(): string;
  stop(): Promise<void>;
}

export async function startCapture(network: string): Promise<Capture> {
  const id = (await docker('network', 'inspect', '--format', '{{.Id}}', network)).trim();
  const flags = ['--immediate-mode', '-U', '-w', '-', '-s', '0'];
  const child = spawn('tcpdump', ['-i', `br-${id.slice(0, 12)}`, ...flags], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const packets: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => packets.push(chunk));
  return {
    seen: () => Buffer.concat(packets).toString('latin1'),
    async stop() {
      child.kill();
      await ended(child);
    },
  };
}

function ended(child: ChildProcess): Promise<unknown> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once('close', resolve));
}
