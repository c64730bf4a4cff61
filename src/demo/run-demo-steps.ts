// The steps up to the first live edit: which callers get through, and which don't. In a step,
// `holds` is what the policy promises; the observation with it comes from Envoy or from the
// application.
import { systemErrorCode } from '../base/index.js';
import { type HttpAnswer, httpCall } from './http-client.js';
import {
  readLeaves,
  readMeshHandshakes,
  readMeshTls,
  readRefusals,
  readWays,
  tryEcho,
  tryXfcc,
} from './run-demo-evidence.js';
import type { DemoMesh, DemoNode } from './run-demo-mesh.js';
import type { Notes } from './run-demo-report.js';
import { tcpExchange } from './tcp-client.js';

export type Step = (mesh: DemoMesh, notes: Notes) => Promise<string>;

export const WEB_ID = 'spiffe://shop.example/ns/default/sa/web';
export const LEDGER_ID = 'spiffe://shop.example/ns/payments/sa/ledger';
const STORE_NAME = 'payments/store';

/** A name as users call it, and its address in the demo, which doesn't edit /etc/hosts. */
function toTarget(name: string, address: string, port: number): string {
  return `http://${name}:${port} (${address}:${port})`;
}

export const callOverMtls: Step = async (mesh, { does, saw }) => {
  const [web, ledger] = [mesh.node('web'), mesh.node('payments/ledger')];
  const address = await mesh.addressOf('payments/ledger', 'web');
  const before = await readMeshHandshakes(ledger);
  does(`web's application calls GET ${toTarget('ledger.payments', address, ledger.port)}`);
  does('that address is its own sidecar; the application speaks plain HTTP and has no certificate');
  const answer = await httpCall({ address, port: ledger.port, path: '/accounts' });
  const echo = tryEcho(answer);
  saw(
    "web's application",
    `${answer.status} from ${echo?.service}`,
    echo?.service === 'payments/ledger',
  );
  const xfcc = tryXfcc(echo?.headers['x-forwarded-client-cert']);
  saw("ledger's application", `was called by ${xfcc?.uri}`, xfcc?.uri === WEB_ID);
  saw("ledger's application", `was called as ${xfcc?.by}`, xfcc?.by === LEDGER_ID);
  const after = await readMeshHandshakes(ledger);
  saw("ledger's Envoy", `handshakes ${before} -> ${after}`, after > before);
  const tls = await readMeshTls(ledger);
  saw("ledger's Envoy", `agreed on ${tls}`, tls.includes('TLSv1.3'));
  for (const [node, id] of [
    [web, WEB_ID],
    [ledger, LEDGER_ID],
  ] as const) {
    const leaves = await readLeaves(node);
    const shown = leaves.map(({ spiffeId }) => spiffeId);
    const own = leaves.length > 0 && leaves.every(({ spiffeId }) => spiffeId === id);
    saw(`${shortName(node)}'s Envoy`, `has the certificate of ${shown.join(', ')}`, own);
  }
  return `web -> payments/ledger, ${tls}`;
};

export const tcpOverMtls: Step = async (mesh, { does, saw }) => {
  const store = mesh.node(STORE_NAME);
  const address = await mesh.addressOf(STORE_NAME, 'web');
  const before = await readMeshHandshakes(store);
  does(`web's application sends "ping" to store.payments:${store.port} (${address}:${store.port})`);
  const { received } = await tcpExchange({
    ...{ address, port: store.port, send: 'ping\n' },
    until: (text) => text.endsWith('ping\n'),
  });
  saw("web's application", `got "${received.trim()}"`, received === `${STORE_NAME}: ping\n`);
  const after = await readMeshHandshakes(store);
  saw("store's Envoy", `handshakes ${before} -> ${after}`, after > before);
  return 'web -> payments/store';
};

export const plainTextAccepted: Step = async (mesh, { does, saw }) => {
  const ledger = mesh.node('payments/ledger');
  does('a caller without a sidecar or a certificate, in plain text; the port is permissive');
  const open = await callPlain(ledger, '/public/rates');
  const xfcc = tryEcho(open)?.headers['x-forwarded-client-cert'];
  saw('the caller', `GET /public/rates: ${open.status}`, open.status === 200);
  saw("ledger's application", `identity of the caller: ${xfcc ?? 'none'}`, xfcc === undefined);
  const before = await readRefusals(ledger);
  const guarded = await callPlain(ledger, '/accounts');
  saw('the caller', `GET /accounts: ${guarded.status}, which is for web alone`, isRefused(guarded));
  const after = await readRefusals(ledger);
  saw("ledger's Envoy", `refused by its rules ${before} -> ${after}`, after === before + 1);
  return '200 for what anyone may read';
};

export const callerWithoutPermission: Step = async (mesh, { does, saw }) => {
  const [reports, ledger] = [mesh.node('reports'), mesh.node('payments/ledger')];
  const store = mesh.node(STORE_NAME);
  const storeAddress = await mesh.addressOf(STORE_NAME, 'reports');
  does('reports calls payments/store through its own sidecar; no rule allows it anything there');
  const refusal = await codeOfRefusal({ address: storeAddress, port: store.port });
  saw(
    "reports' application",
    `${storeAddress}:${store.port}: ${refusal}`,
    refusal === 'ECONNREFUSED',
  );
  const ways = await readWays(reports);
  const noWay = ways.length > 0 && !ways.some((way) => way.startsWith(STORE_NAME));
  saw("reports' Envoy", `has ways to ${ways.join(', ')} only`, noWay);

  does("reports goes around its sidecar, straight to ledger's, with its own valid certificate");
  const { tls } = await mesh.certificate('reports');
  const before = await readRefusals(ledger);
  const seenBefore = ledger.app.seen;
  const target = { address: ledger.address, port: ledger.port, tls: toLedger(tls) };
  const refused = await httpCall({ ...target, path: '/accounts' });
  const trusted = refused.tls?.authorized === true;
  saw(
    'the caller',
    `${refused.tls?.protocol} handshake done, ledger's certificate trusted`,
    trusted,
  );
  saw('the caller', `GET /accounts: ${refused.status} "${refused.body}"`, isRefused(refused));
  const after = await readRefusals(ledger);
  saw("ledger's Envoy", `refused by its rules ${before} -> ${after}`, after === before + 1);
  saw(
    "ledger's application",
    `requests that reached it: ${ledger.app.seen - seenBefore}`,
    ledger.app.seen === seenBefore,
  );
  const open = await httpCall({ ...target, path: '/public/rates' });
  saw('the caller', `GET /public/rates: ${open.status}, as for anyone`, open.status === 200);
  return 'no way through its sidecar; 403 with its own certificate';
};

/** An ordinary TLS client verifies the certificate's DNS name. */
export function toLedger<T extends object>(tls: T): T & { readonly servername: string } {
  return { ...tls, servername: 'ledger.payments' };
}

export function callPlain(node: DemoNode, path: string): Promise<HttpAnswer> {
  return httpCall({ address: node.address, port: node.port, path });
}

/** `payments/ledger` as `ledger`. */
function shortName({ name }: DemoNode): string {
  return name.replace(/^.*\//, '');
}

/** Whether Envoy's access rules refused it; the application never answers like that. */
function isRefused({ status, body }: HttpAnswer): boolean {
  return status === 403 && body.includes('RBAC');
}

/** How a TCP connection was refused, as the system's error code; `connected` if it wasn't. */
async function codeOfRefusal(target: { address: string; port: number }): Promise<string> {
  try {
    await tcpExchange({ ...target, send: 'ping\n', timeoutMs: 2000 });
    return 'connected';
  } catch (error) {
    return systemErrorCode(error) ?? String(error);
  }
}
