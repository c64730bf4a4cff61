import type { Command } from 'commander';
import type { Context } from '../../terminal/index.js';

export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  /** Loads the command's own file, when it is called. */
  readonly load: () => Promise<{ define(command: Command, context: Context): void }>;
}

/** In the order in which a user needs them. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'init',
    summary: 'write a commented mesh.yaml to start from',
    load: () => import('./init.js'),
  },
  {
    name: 'check',
    summary: 'report every problem of a mesh, with its place and a hint',
    load: () => import('./check.js'),
  },
  {
    name: 'serve',
    summary: 'run the server',
    load: () => import('./serve.js'),
  },
  {
    name: 'bootstrap',
    summary: "print a sidecar's complete Envoy bootstrap",
    load: () => import('./bootstrap.js'),
  },
  {
    name: 'token',
    summary: 'make a token for sidecars of a service, or for the admin port',
    load: () => import('./token.js'),
  },
  {
    name: 'render',
    summary: 'show what a sidecar of a service is sent',
    load: () => import('./render.js'),
  },
  {
    name: 'status',
    summary: 'show every connected proxy and what it has in force',
    load: () => import('./status.js'),
  },
  {
    name: 'wait',
    summary: 'wait until the mesh is in force on every connected proxy',
    load: () => import('./wait.js'),
  },
  {
    name: 'apply',
    summary: 'put the mesh file in force, where `serve` runs with --apply manual',
    load: () => import('./apply.js'),
  },
  {
    name: 'pause',
    summary: 'hold back every change of the mesh where it is',
    load: () => import('./pause.js'),
  },
  {
    name: 'resume',
    summary: 'go on with what was paused',
    load: () => import('./resume.js'),
  },
  {
    name: 'abort',
    summary: 'take every running change of the mesh back to what was',
    load: () => import('./abort.js'),
  },
  {
    name: 'hosts',
    summary: 'print names and loopback addresses for /etc/hosts',
    load: () => import('./hosts.js'),
  },
  {
    name: 'capture',
    summary: "hand this network namespace's TCP to its sidecar, by nftables",
    load: () => import('./capture.js'),
  },
  {
    name: 'compose',
    summary: 'make an encrypted mesh of your own compose file',
    load: () => import('./compose.js'),
  },
  {
    name: 'cert',
    summary: 'issue a certificate for a client without a sidecar',
    load: () => import('./cert.js'),
  },
  {
    name: 'revoke',
    summary: 'shut out a service, an instance, a certificate or a token',
    load: () => import('./revoke.js'),
  },
  {
    name: 'drain',
    summary: 'take an instance out of service, so that it can be stopped and no call is lost',
    load: () => import('./drain.js'),
  },
  {
    name: 'ca',
    summary: 'show the certificate authorities and trust anchors',
    load: () => import('./ca.js'),
  },
  {
    name: 'backup',
    summary: 'write the data folder to a file, encrypted by a passphrase',
    load: () => import('./backup.js'),
  },
  {
    name: 'restore',
    summary: 'make a data folder from a backup',
    load: () => import('./restore.js'),
  },
  {
    name: 'demo',
    summary: 'run a mesh of real Envoys on loopback',
    load: () => import('./demo.js'),
  },
];
