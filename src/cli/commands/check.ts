import { type Command, Option } from 'commander';
import { MeshError } from '../../base/index.js';
import {
  formatProblem,
  type LoadedMesh,
  loadMesh,
  type Severity,
  toProblemJson,
} from '../../policy/index.js';
import { type Context, hintOf, writeLine } from '../../terminal/index.js';
import { checkLiveSidecars } from '../live-sidecars.js';
import {
  adminTokenOption,
  type HostPort,
  jsonOption,
  meshArgument,
  reader,
  requireMesh,
  toExample,
  tryHostPort,
} from '../options.js';
import { count } from '../problems.js';

interface CheckOptions {
  readonly server?: HostPort;
  readonly adminTokenFile?: string;
  readonly strict?: boolean;
  readonly json?: boolean;
}

export function define(command: Command, context: Context): void {
  command
    .addArgument(meshArgument())
    .option('--strict', 'exit 1 also on an exemption or a namespace without services')
    .addOption(jsonOption())
    .addOption(serverOption())
    .addOption(adminTokenOption())
    .addHelpText(
      'after',
      toExample(
        'countersign check mesh.yaml',
        'countersign check mesh.yaml --server 127.0.0.1:18080',
      ),
    )
    .action(async (given: string | undefined, options: CheckOptions) => {
      const mesh = requireMesh(given);
      const own = options.json === true ? loadForJson(mesh, context) : loadMesh(mesh);
      const { server, adminTokenFile } = options;
      const admin = adminTokenFile === undefined ? {} : { adminTokenFile };
      const read = server === undefined ? own : await checkLiveSidecars(own, { server, ...admin });
      const loaded = options.strict === true ? toStrict(read) : read;
      if (options.json === true) printJson(loaded, context);
      else printText(loaded, mesh, context);
      const refused: readonly Severity[] =
        options.strict === true ? ['error', 'exemption'] : ['error'];
      const isRefused = loaded.problems.some(({ severity }) => refused.includes(severity));
      if (isRefused && context.exitCode === 0) context.exitCode = 1;
    });
}

/** Only where it is given: a check needs no server. */
function serverOption(): Option {
  return new Option(
    '--server <host:port>',
    'also warn of services whose sidecars are connected there and which this mesh lacks',
  ).argParser(reader({ name: '--server', expected: 'an address and port', read: tryHostPort }));
}

/** Turns the problems that `--strict` takes for errors into errors. */
function toStrict(loaded: LoadedMesh): LoadedMesh {
  const problems = loaded.problems.map((problem) =>
    problem.strict === true ? { ...problem, severity: 'error' as const } : problem,
  );
  return { ...loaded, problems };
}

/** For a program, a mesh that can't be read is a problem like any other; the exit code is 2. */
function loadForJson(path: string, context: Context): LoadedMesh {
  try {
    return loadMesh(path);
  } catch (error) {
    if (!(error instanceof MeshError)) throw error;
    const { message } = error;
    const hint = hintOf(error);
    context.exitCode = 2;
    const problem = { severity: 'error', path: '', message } as const;
    const source = { file: path, line: 1, column: 1 };
    const hinted = hint === undefined ? {} : { hint };
    return { mesh: undefined, problems: [{ ...problem, source, ...hinted }], files: [] };
  }
}

function printJson({ mesh, problems }: LoadedMesh, { stdout }: Context): void {
  const summary =
    mesh === undefined ? null : { version: mesh.version, services: [...mesh.services.keys()] };
  const json = { mesh: summary, problems: problems.map(toProblemJson) };
  writeLine(stdout, JSON.stringify(json, undefined, 2));
}

function printText(loaded: LoadedMesh, path: string, { stdout, stderr }: Context): void {
  for (const problem of loaded.problems) {
    const isFault = problem.severity === 'error' || problem.severity === 'warning';
    writeLine(isFault ? stderr : stdout, formatProblem(problem));
  }
  writeLine(stdout, `${path}: ${summarize(loaded)}`);
}

/** `3 services, 4 ports; 1 error, 1 warning` */
function summarize({ mesh, problems }: LoadedMesh): string {
  const numberOf = (severity: Severity): number =>
    problems.filter((problem) => problem.severity === severity).length;
  const found = (['error', 'warning', 'exemption'] as const)
    .filter((severity) => numberOf(severity) > 0)
    .map((severity) => count(numberOf(severity), severity));
  const notes = numberOf('note') === 0 ? [] : [count(numberOf('note'), 'note')];
  const tail = [...(found.length === 0 ? ['no problems'] : found), ...notes].join(', ');
  if (mesh === undefined) return tail;
  const services = [...mesh.services.values()];
  const ports = services.reduce((sum, service) => sum + service.ports.length, 0);
  return `${count(services.length, 'service')}, ${count(ports, 'port')}; ${tail}`;
}
