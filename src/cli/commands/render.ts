import { isIP } from 'node:net';
import { type Command, Option } from 'commander';
import { Document, isMap, isSeq } from 'yaml';
import { MeshError } from '../../base/index.js';
import { formatProblem, loadMesh, type ServiceName } from '../../policy/index.js';
import { DEFAULT_OUTBOUND, parseOutbound } from '../../server/addresses/index.js';
import { type Context, writeLine } from '../../terminal/index.js';
import { listenOption } from '../address-options.js';
import { jsonOption, meshArgument, reader, requireMesh, toExample, usage } from '../options.js';
import { outboundOption } from '../outbound-option.js';
import { count } from '../problems.js';
import { RENDERED_TYPES, type Rendered, type RenderedType, render } from '../rendered.js';
import { parseService, serviceArgument } from '../service-argument.js';
import { findService } from '../stored-mesh.js';

interface Options {
  readonly type: readonly RenderedType[];
  readonly json?: boolean;
  readonly address: string;
  readonly listen?: 'any';
  readonly outbound: string;
}

const ALL_TYPES = Object.keys(RENDERED_TYPES) as RenderedType[];

export function define(command: Command, context: Context): void {
  command
    .addArgument(meshArgument())
    .addArgument(serviceArgument('[service]'))
    .usage('[options] [mesh] <service>')
    .addOption(
      new Option('--type <types>', `some of ${ALL_TYPES.join(',')}`)
        .default(ALL_TYPES, 'all')
        .argParser(
          reader({
            name: '--type',
            expected: `one or more of ${ALL_TYPES.join(', ')}, with commas`,
            read: tryTypes,
          }),
        ),
    )
    .addOption(
      new Option('--address <ip>', "the sidecar's address").default('127.0.0.1').argParser(
        reader({
          name: '--address',
          expected: 'an IP address',
          read: (text) => (isIP(text) === 0 ? undefined : text),
        }),
      ),
    )
    .addOption(listenOption())
    .addOption(
      outboundOption("the sidecar's loopback prefix, or its list").default(DEFAULT_OUTBOUND),
    )
    .addOption(jsonOption())
    .addHelpText('after', toExample('countersign render mesh.yaml payments/ledger --type lds'))
    .action((first?: string, second?: ServiceName, options?: Options) => {
      if (first === undefined || options === undefined) throw noService();
      if (second !== undefined) print({ path: first, service: second, options, context });
      else print({ ...toAlone(first), options, context });
    });
}

/** One argument is the service, where the environment names the mesh. */
function toAlone(word: string): Pick<Print, 'path' | 'service'> {
  if ((process.env['COUNTERSIGN_MESH'] ?? '') === '') throw noService();
  return { path: requireMesh(undefined), service: parseService(word) };
}

function noService(): MeshError {
  return usage(
    'expected a mesh and a service',
    'countersign render mesh.yaml payments/ledger; the mesh may be in COUNTERSIGN_MESH',
  );
}

function tryTypes(text: string): readonly RenderedType[] | undefined {
  const words = text.split(',').map((word) => word.trim().toLowerCase());
  const known = words.every((word) => Object.hasOwn(RENDERED_TYPES, word));
  return known ? ALL_TYPES.filter((type) => words.includes(type)) : undefined;
}

interface Print {
  readonly path: string;
  readonly service: ServiceName;
  readonly options: Options;
  readonly context: Context;
}

function print({ path, service: name, options, context }: Print): void {
  const { mesh, problems } = loadMesh(path);
  if (mesh === undefined) {
    const errors = problems.filter(({ severity }) => severity === 'error');
    for (const problem of errors) writeLine(context.stderr, formatProblem(problem));
    const found = count(errors.length, 'error');
    writeLine(context.stderr, `error: expected a good mesh but got ${found}`);
    context.exitCode = 1;
    return;
  }
  const service = findService(mesh, name);
  if (!service.sidecar) {
    const message = `expected a service with a sidecar but "${name}" has none`;
    throw new MeshError('service-unknown', message, { hint: 'see its "sidecar" key' });
  }
  const { address, listen = 'address', type: types } = options;
  const outbound = parseOutbound(options.outbound);
  const rendered = render({ mesh, service, address, listen, outbound, types });
  if (options.json === true) {
    const resources = rendered.map(({ resource }) => resource);
    writeLine(context.stdout, JSON.stringify({ resources }, undefined, 2));
  } else {
    context.stdout.write(toYaml(rendered));
  }
}

/** One document as Envoy reads it from a file, with a comment on each resource. */
function toYaml(rendered: readonly Rendered[]): string {
  const resources = rendered.map(({ resource }) => resource);
  // Envoy's parser doesn't take `on`, `y` or `12:30` for text: the schema of YAML 1.1 quotes them.
  const document = new Document({ resources }, { version: '1.1', aliasDuplicateObjects: false });
  const items = document.get('resources');
  if (isSeq(items)) {
    items.items.forEach((item, i) => {
      if (isMap(item)) item.commentBefore = ` ${rendered[i]?.comment}`;
    });
  }
  return document.toString({ lineWidth: 0, directives: false });
}
