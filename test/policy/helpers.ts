import { strict as assert } from 'node:assert';
import { stringify } from 'yaml';
import {
  formatProblem,
  type Mesh,
  type Port,
  parseMesh,
  type Service,
  serviceName,
} from '../../src/policy/index.js';

/** Every problem of a mesh in one file, as `check` prints them. */
export function problemsOf(text: string): string[] {
  return parseMesh([{ path: 'mesh.yaml', text }]).problems.map(formatProblem);
}

/** The same without notes, which are no faults. */
export function faultsOf(text: string): string[] {
  return parseMesh([{ path: 'mesh.yaml', text }])
    .problems.filter(({ severity }) => severity !== 'note')
    .map(formatProblem);
}

/** The mesh of one file; a mesh with errors fails the test with what is wrong. */
export function meshOf(text: string): Mesh {
  const { mesh, problems } = parseMesh([{ path: 'mesh.yaml', text }]);
  assert(mesh !== undefined, problems.map(formatProblem).join('\n'));
  return mesh;
}

export function serviceOf(mesh: Mesh, name: string): Service {
  const service = mesh.services.get(serviceName(name));
  assert(service !== undefined, `no service ${name}`);
  return service;
}

export function portOf(mesh: Mesh, address: string): Port {
  const [name = '', number] = address.split(':');
  const port = serviceOf(mesh, name).ports.find((each) => String(each.number) === number);
  assert(port !== undefined, `no port ${address}`);
  return port;
}

/** Whether `check` takes a rule: what its `not` takes away mustn't be all that it asks for. */
export function canMatch(rule: object): boolean {
  const services = { a: {}, b: {}, 'ns/c': {}, 'ns/d': {}, 'other/c': {} };
  const back = { ports: { 8080: { protocol: 'http', mtls: 'strict', allow: [rule] } } };
  const mesh = { trustDomain: 'shop.example', services: { ...services, back } };
  const problems = problemsOf(stringify(mesh, { aliasDuplicateObjects: false }));
  return !problems.some((problem) => problem.includes('expected a rule that can match'));
}
