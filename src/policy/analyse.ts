// What is wrong or worth knowing in a mesh whose shape is right: errors that only the resolved
// settings show, warnings, and exemptions.
import { toPlace, toSeconds } from '../base/index.js';
import { analyseAccess } from './analyse-access.js';
import { analyseCapture } from './analyse-capture.js';
import { analyseTargets } from './analyse-targets.js';
import { analyseTransparency } from './analyse-transparency.js';
import type { AddProblem, Report } from './report.js';
import type { Resolution, ResolvedService } from './resolve.js';
import { checkIssuers } from './resolve-issuers.js';
import { type Chain, resolveCertificates, resolveTls } from './scopes.js';
import { RENEWAL, SHORT_TTL_MS } from './tls.js';
import { formatPath, placeAt, type Tree } from './tree.js';

export interface AnalysisInput {
  readonly resolution: Resolution;
  readonly tree: Tree;
  readonly report: Report;
  /** False where services with mistakes were left out: what seems to be missing is not reported. */
  readonly complete: boolean;
}

export function analyse({ resolution, tree, report, complete }: AnalysisInput): void {
  const addProblem: AddProblem = (path, problem) =>
    report.add({ ...problem, source: placeAt(tree, path), path: formatPath(path) });
  for (const chain of chainsOf(resolution)) {
    checkTls(chain, addProblem);
    checkTtl(chain, addProblem);
    checkRenewal(chain, addProblem);
    checkExemption({ chain, tree, addProblem });
  }
  for (const service of resolution.services) {
    checkReachable(service, addProblem);
    checkEndpoints(service, addProblem);
  }
  analyseTargets(resolution.services, addProblem);
  checkFormerIdentities(resolution, addProblem);
  checkServiceAccounts(resolution, addProblem);
  checkIssuers(resolution.nodeIssuers, { tree, report });
  if (complete) checkNamespaces(resolution, { addProblem, report });
  analyseAccess({ resolution, addProblem, chains: chainsOf(resolution) });
  analyseTransparency({ services: resolution.services, tree, addProblem });
  analyseCapture({ services: resolution.services, addProblem });
}

/** Each scope once, with the wider ones around it. */
function chainsOf({ mesh, namespaces, services }: Resolution): Chain[] {
  return [
    [mesh],
    ...[...namespaces.values()].map((scope): Chain => [scope, mesh]),
    ...services.flatMap(({ chain, ports }) => [chain, ...ports.map((port) => port.chain)]),
  ];
}

function checkTls(chain: Chain, addProblem: AddProblem): void {
  const [{ path, settings }] = chain;
  const own = settings.tls;
  if (own === undefined) return;
  const { minVersion, maxVersion } = resolveTls(chain);
  if ((own.minVersion ?? own.maxVersion) !== undefined && minVersion > maxVersion) {
    const key = own.maxVersion === undefined ? 'minVersion' : 'maxVersion';
    addProblem([...path, 'tls', key], {
      message: `expected minVersion up to maxVersion but got ${minVersion} and ${maxVersion}`,
      hint: 'set both keys here',
    });
  }
  const { curves = [] } = own;
  const twice = curves.findIndex((curve, index) => curves.indexOf(curve) < index);
  if (twice !== -1) {
    addProblem([...path, 'tls', 'curves', twice], {
      message: `expected each curve once but got ${curves[twice]} again`,
      hint: 'Envoy rejects every listener and cluster with such a list',
    });
  }
  if ((own.cipherSuites?.length ?? 0) > 0 && minVersion === 'TLSv1_3') {
    addProblem([...path, 'tls', 'cipherSuites'], {
      message: 'expected cipherSuites only with minVersion TLSv1_2 but got minVersion TLSv1_3',
      hint: 'TLS 1.3 has suites of its own, all of them strong',
    });
  }
}

function checkTtl([{ path, certificates }]: Chain, addProblem: AddProblem): void {
  const ttlMs = certificates?.ttl;
  if (ttlMs === undefined || ttlMs >= SHORT_TTL_MS) return;
  addProblem([...path, 'certificates', 'ttl'], {
    severity: 'warning',
    message: `certificates that live ${toSeconds(ttlMs)} s end soon after the server stops`,
    hint: 'use 10m or more outside of tests',
  });
}

/** Both keys narrow by themselves: what counts is what comes out. */
function checkRenewal(chain: Chain, addProblem: AddProblem): void {
  const [{ path, certificates: own }] = chain;
  const key = own?.jitter !== undefined ? 'jitter' : 'renewAt';
  if (own?.[key] === undefined) return;
  const { renewAt, jitter } = resolveCertificates(chain);
  const { earliest, latest } = RENEWAL;
  const [first, last] = [renewAt - jitter, renewAt + jitter].map((one) => Number(one.toFixed(6)));
  if (first === undefined || last === undefined || (first >= earliest && last <= latest)) return;
  addProblem([...path, 'certificates', key], {
    message:
      `expected renewAt ± jitter between ${earliest} and ${latest} of the lifetime ` +
      `but got ${renewAt} ± ${jitter}`,
    hint: 'a smaller jitter, or a renewAt nearer to 0.5',
  });
}

function checkExemption(input: { chain: Chain; tree: Tree; addProblem: AddProblem }): void {
  const [{ path, settings }, ...wider] = input.chain;
  if (settings.mtls !== 'disable') return;
  const strict = wider.find((scope) => scope.settings.mtls === 'strict');
  if (strict === undefined) return;
  const place = toPlace(placeAt(input.tree, [...strict.path, 'mtls']));
  input.addProblem([...path, 'mtls'], {
    severity: 'exemption',
    message: `disable inside the strict scope of ${place}`,
  });
}

function checkReachable({ service, path }: ResolvedService, addProblem: AddProblem): void {
  if (service.sidecar || service.endpoints.length > 0 || service.ports.length === 0) return;
  addProblem([...path, 'sidecar'], {
    message: 'expected endpoints of a service without a sidecar but got none: nobody could call it',
    hint: 'add endpoints: with its addresses, or leave out its ports',
  });
}

function checkEndpoints({ service, path, ports }: ResolvedService, addProblem: AddProblem): void {
  if (service.endpoints.length === 0) return;
  const strict = ports.filter(({ port }) => port.mode === 'strict').map(({ port }) => port);
  const [first] = strict;
  if (first !== undefined) {
    const numbers = strict.map(({ number }) => number).join(', ');
    addProblem([...path, 'endpoints'], {
      message:
        'expected mtls permissive or disable for endpoints without a sidecar but got strict ' +
        `(${toPlace(first.modeSource)}) on port ${numbers}: callers send them nothing`,
      hint: 'give the endpoints a sidecar, or set mtls: disable for this service',
    });
  }
  const seen = new Set<string>();
  for (const [index, { host, port }] of service.endpoints.entries()) {
    const key = `${host.toLowerCase()} ${port ?? ''}`;
    const at = [...path, 'endpoints', index];
    if (seen.has(key))
      addProblem(at, { message: `expected each endpoint once but got "${host}" again` });
    seen.add(key);
    if (port !== undefined && ports.length > 1) {
      const message = `every port of the service leads to port ${port} of this endpoint`;
      addProblem(at, { severity: 'warning', message });
    }
  }
}

function checkServiceAccounts({ services }: Resolution, addProblem: AddProblem): void {
  const first = new Map<string, string>();
  for (const { service, path } of services) {
    const earlier = first.get(service.spiffeId);
    if (earlier === undefined) {
      first.set(service.spiffeId, service.name);
      continue;
    }
    addProblem(path, {
      severity: 'warning',
      message: `${earlier} and ${service.name} are one caller: both are ${service.spiffeId}`,
      hint: 'a rule that names one of them means both; give each a serviceAccount of its own',
    });
  }
}

/** An earlier identity is taken for the service's own, so nobody else may have it. */
function checkFormerIdentities({ services }: Resolution, addProblem: AddProblem): void {
  const holders = new Map(services.map(({ service }) => [service.spiffeId, service.name]));
  for (const { service, path } of services) {
    for (const id of service.alsoKnownAs ?? []) {
      const holder = holders.get(id);
      if (holder === undefined) {
        holders.set(id, service.name);
        continue;
      }
      addProblem([...path, 'formerly'], {
        message: `the earlier identity ${id} is ${holder}'s too`,
        hint: `give ${holder} another serviceAccount, or leave out the earlier name`,
      });
    }
  }
}

function checkNamespaces(
  resolution: Resolution,
  out: { addProblem: AddProblem; report: Report },
): void {
  const used = new Set(resolution.services.map(({ service }) => service.namespace));
  for (const name of resolution.namespaces.keys()) {
    if (used.has(name)) continue;
    const meant = out.report.didYouMean(name, used);
    const message = `no service is in namespace ${name}${meant}`;
    out.addProblem(['namespaces', name], { severity: 'warning', strict: true, message });
  }
}
