// What an operator can do about an error, in the words of the command line. This is the only place
// that names its commands and flags for the rooms below. An error carries its code and, where that
// isn't enough, a variant; a hint about the input itself comes with the error.
import type { ErrorCode, MeshError } from '../base/index.js';

/** For the server's warnings, which aren't errors. */
export const COMMANDS = {
  clockOk: '`countersign serve --clock-ok`',
  importCa: '`countersign ca import`',
  rotateRoot: '`countersign ca rotate`',
  activateRoot: '`countersign ca activate`',
  abortRotation: '`countersign ca abort`',
  finishRotation: 'countersign ca rotate --finish',
  makeToken: '`countersign token`',
  listRevoked: '`countersign revoke --list`',
  undoRevocation: '`countersign revoke --undo`',
} as const;

const ANOTHER_FOLDER = 'name another folder with --data';
const NO_RIGHT = `give this user the right to write there, or ${ANOTHER_FOLDER}`;

const BACKUP =
  'put it back where it was, or bring the folder back by `countersign restore`; nothing was made ' +
  'in its place';

function toDamagedHint(flag: string): string {
  return (
    'restore this file from a backup; nothing was overwritten. ' +
    `Without one, \`countersign serve ${flag}\` goes on with a new one`
  );
}

const OFFERED_CA =
  "start the server with the command's --ca-passphrase-file, or give the order without it";

/** By code, or by code and variant. */
export const HINTS: Readonly<Partial<Record<ErrorCode | `${ErrorCode}/${string}`, string>>> = {
  'address-in-use': 'give each sidecar on a host an address of its own: bootstrap --address',
  'address-in-use/proved':
    'give each sidecar an address of its own (bootstrap --address), and the one at this address ' +
    'a token that proves it: `countersign token --address`',
  'address-in-use/own-application':
    'give the sidecar an address of its own (bootstrap --address 127.1.0.1), or its application ' +
    'another port (target in mesh.yaml)',
  'address-in-use/own-application-anywhere':
    'a sidecar with `bootstrap --listen any` needs a network namespace of its own: give its ' +
    'application a name or address outside of that (target in mesh.yaml)',
  'address-refused/kind':
    'give the sidecar an address of its host that its callers reach (bootstrap --address), or ' +
    'allow this one by --allow-address, on `countersign serve` too',
  'address-refused/bound':
    'give the sidecar an address that its token is for (bootstrap --address), or make a token ' +
    'for this one with `countersign token --address`',
  'backup-invalid/other-file': 'name a file that `countersign backup` wrote',
  'capture-failed/no-nft': "install it (Debian's nftables), or use the image's target `capture`",
  'capture-failed/no-right':
    'run it as root with the right NET_ADMIN: sudo, or cap_add: [NET_ADMIN] of a container',
  'capture-failed/no-drop':
    'give the container the rights SETUID and SETGID too, or leave out --sleep; the rules are in ' +
    'force',
  'capture-failed': 'the kernel needs nf_tables with nat and fib for inet, as Linux 5.2 has them',
  'certificate-invalid/chain': 'name a file that has them with --chain',
  'certificate-invalid/ended': 'import its successor with `countersign ca import`',
  'certificate-invalid/ended-issuer':
    'the server replaces it as soon as it runs on this folder: start `countersign serve`',
  'certificate-invalid/ended-root': 'make a new root with `countersign ca rotate`',
  'certificate-invalid/not-begun':
    'set the clock; where it is right, make a new root with `countersign ca rotate`',
  'certificate-refused/unrecorded':
    'make a new one with `countersign cert`, or show a token: the data folder may be a new one, ' +
    'or restored from an older backup',
  'certificate-refused': 'renew it with `countersign cert` on the data folder of this server',
  'data-damaged/file': 'restore this file from a backup; nothing was overwritten',
  'data-damaged/authority.json': toDamagedHint('--new-authority'),
  'data-damaged/token-keys.json': toDamagedHint('--new-token-keys'),
  'data-damaged/xds-anchor.json': toDamagedHint('--new-xds-anchor'),
  'data-damaged/revocations':
    'restore this file from a backup, or remove it and revoke again what it revoked; nothing was ' +
    'overwritten',
  'data-foreign': 'name a folder of its own with --data',
  'data-locked': 'stop that server, or give this one a folder of its own with --data',
  'data-lost/file': BACKUP,
  'data-lost/authority.json':
    `${BACKUP}. Without one, \`countersign serve --new-authority\` ` +
    'makes a new CA: calls fail until ' +
    'every sidecar has its anchors and a certificate of it, and every client certificate is void',
  'data-lost/token-keys.json':
    `${BACKUP}. Without one, \`countersign serve --new-token-keys\` ` +
    'makes new ones: every token is ' +
    'void, and no sidecar can connect again until it has a new one',
  'data-lost/xds-anchor.json':
    `${BACKUP}. Without one, \`countersign serve --new-xds-anchor\` ` +
    'makes a new one: no sidecar can ' +
    'connect again until it is started with a new bootstrap',
  'data-lost/revocations':
    `${BACKUP}. Without one, \`countersign serve --forget-revocations\` ` +
    'starts with nobody shut out: ' +
    'revoke again what was revoked',
  'data-missing/authority': 'start `countersign serve` once with the same --data: it creates one',
  'data-missing/empty': 'name the one that `countersign serve` uses with --data',
  'data-missing/folder':
    'start `countersign serve` once with the same --data, or name the folder with --data',
  'data-unreadable': `give this user the right to read it, or ${ANOTHER_FOLDER}`,
  'data-unwritable': ANOTHER_FOLDER,
  'data-unwritable/EACCES': NO_RIGHT,
  'data-unwritable/EPERM': NO_RIGHT,
  'data-unwritable/EROFS': `the file system is read-only: mount it writable, or ${ANOTHER_FOLDER}`,
  'data-unwritable/ENOSPC': 'the disk is full: make room, then start again',
  'data-unwritable/EDQUOT': 'the disk quota is used up: make room, then start again',
  'data-unwritable/ENOTDIR': `a part of that path is a file: ${ANOTHER_FOLDER}`,
  'data-unreadable/no-file': 'move what stands there away, and put the file back',
  'data-unreadable/replaced': 'put it back as it was, or start the server again on the right one',
  'data-unwritable/flock': 'install util-linux or busybox, and have `flock` on PATH',
  'data-unwritable/lock': 'the folder must be writable, and its file system must know locks',
  'data-unwritable/replaced': 'put it back as it was, or start the server again on the right one',
  'data-unwritable/other-user': `run as that user, or ${ANOTHER_FOLDER}`,
  'envoy-unreachable':
    'run this on its host, with the port that `bootstrap --envoy-admin-port` gave it',
  'file-exists/data': `${ANOTHER_FOLDER}, or move that one away; nothing was changed`,
  'identity-invalid/trust-domain': 'set it back, or name another folder with --data',
  'instance-limit':
    'see who they are in `countersign status`; where so many are right, raise the limit: ' +
    '`countersign serve --max-instances`, or --max-instances-per-token',
  'passphrase-missing': 'give it with --passphrase-file, or in COUNTERSIGN_PASSPHRASE',
  'passphrase-missing/offered-ca': OFFERED_CA,
  'passphrase-missing/ca': 'give it with --ca-passphrase-file, or in COUNTERSIGN_CA_PASSPHRASE',
  'passphrase-wrong/offered-ca': OFFERED_CA,
  'passphrase-wrong/ca': 'give it with --ca-passphrase-file, or in COUNTERSIGN_CA_PASSPHRASE',
  'port-in-use': 'stop what holds it, or choose another with --xds or --admin',
  'port-in-use/EADDRNOTAVAIL': 'choose an address of this machine with --xds or --admin',
  'port-in-use/EACCES': 'choose a port from 1024 up with --xds or --admin',
  'request-invalid/change-over':
    'prepare a new root with `countersign ca prepare`: one that is gone does not come back',
  'request-invalid/going-back':
    'see how far that is in `countersign ca show`, and prepare a new root after its end',
  'request-invalid/last-instance':
    'start another one first, or drain it all the same by --yes: calls to it then fail',
  'request-invalid/mesh-errors':
    'see them by `countersign check`; the last good mesh stays in force',
  'request-invalid/not-drained':
    'it was taken back, or a new Envoy of it has connected: see `countersign status`',
  'request-invalid/paused': 'go on with `countersign resume`, then give the order again',
  'request-invalid/not-activated':
    'let the new one sign first: `countersign ca activate`, and then `countersign ca taint`',
  'request-invalid/nothing-to-prepare':
    'sidecars trust that root already: import it without --prepare',
  'request-invalid/other-root': 'see `countersign ca show`',
  'request-invalid/root-change':
    'see `countersign ca show`; `countersign ca rotate --finish` ends it',
  'request-invalid/tainted':
    'a root that is bad must not sign again: prepare another after the end of this change',
  'resource-limit/outbound': 'give the sidecar a larger one: bootstrap --outbound',
  revoked: 'see `countersign revoke --list`; --undo takes a revocation back',
  'server-unreachable/xds':
    'name its xDS port with --xds, and give its anchor (`ca bundle --xds`) with --xds-ca',
  'token-expired': 'make a new one with `countersign token`',
  'token-invalid/clock':
    'compare the clocks of this server and of the machine that made the token: one is wrong',
  'token-invalid/issuer':
    'make one with `countersign token`, or trust its issuer by `nodeIssuers` in mesh.yaml',
  'token-key-unknown':
    'the data folder may be a new one, or restored from an older backup: bring the right one ' +
    'back, or make a new token with `countersign token`',
  'token-missing': 'make one with `countersign token`, or show a client certificate of this mesh',
  'token-wrong-service/unclaimed': 'name the service in node.id, as `countersign bootstrap` does',
  'usage/signing-key': 'make a new key first: `countersign token --rotate-key`',
  'usage/whole':
    'start without that option; `countersign ca rotate` and `countersign token --rotate-key` ' +
    'replace what is whole',
  'usage/subnets':
    'name an IPv4 network of 64 addresses for each: `compose --subnets 10.213.0.0/16`, or ' +
    'x-countersign: { subnets: 10.213.0.0/16 } in the compose file',
  'usage/token-key': 'list them with `countersign token --list-keys`',
  'xds-anchor-unknown':
    "its bootstrap pins another server's anchor: the data folder may be a new one; bring the " +
    'right one back, or make a new bootstrap with `countersign bootstrap`',
};

/** An error's own hint, else what the table has for its variant, else for its code. */
export function hintOf({ code, variant, hint }: MeshError): string | undefined {
  return hint ?? HINTS[`${code}/${variant ?? ''}`] ?? HINTS[code];
}
