// What a user says about the mesh in the compose file itself: `x-countersign` at the top and of a
// service, and labels `countersign.<key>`, which mean the same.
import { z } from 'zod';
import { closest, MeshError, toShortText } from '../../base/index.js';
import { isTrustDomain } from '../../spiffe/index.js';
import type { ComposeProject, ComposeService } from '../project/index.js';
import { isMeshName } from './mesh-names.js';
import type { PlannedProtocol } from './mesh-plan.js';

const PROTOCOLS = ['http', 'http2', 'grpc', 'tcp'] as const satisfies readonly PlannedProtocol[];
/** Of a setting, in a message. */
const LONGEST_SHOWN = 64;

const portKey = z.string().regex(/^[1-9]\d{0,4}$/, 'a port number as a key, as in "8080"');

const serviceSchema = z.strictObject({
  capture: z.enum(['fronted', 'transparent'], 'fronted or transparent').optional(),
  ports: z
    .record(portKey, z.enum(PROTOCOLS, `one of ${PROTOCOLS.join(', ')}`), 'a map of ports')
    .optional(),
  calls: z.array(z.string('a name of a service'), 'a list of services').optional(),
  name: z
    .string('a name')
    .refine(isMeshName, 'a name of lower case letters, digits and dashes, and no reserved word')
    .optional(),
  job: z.boolean('true or false').optional(),
});

const fileSchema = z.strictObject({
  trustDomain: z.string('a name').refine(isTrustDomain, 'a trust domain').optional(),
  subnets: z
    .string('a range of addresses')
    .regex(/^\d{1,3}(\.\d{1,3}){3}\/\d{1,2}$/, 'a range of addresses, as in 10.213.0.0/16')
    .optional(),
  image: z.string('the name of an image').min(1, 'the name of an image').optional(),
});

export type ServiceSettings = z.infer<typeof serviceSchema> & {
  /** Of `x-countersign: false`, or the label `countersign.enable=false`. */
  readonly isOff: boolean;
};
export type FileSettings = z.infer<typeof fileSchema>;

/** @throws MeshError `compose-invalid` */
export function readFileSettings({ settings }: ComposeProject): FileSettings {
  if (settings === undefined || settings === null) return {};
  return parse(fileSchema, settings, {
    path: 'x-countersign',
    keys: Object.keys(fileSchema.shape),
  });
}

/** @throws MeshError `compose-invalid` */
export function readServiceSettings(
  service: ComposeService,
  project: ComposeProject,
): ServiceSettings {
  const path = `services.${service.name}.x-countersign`;
  const own = service.settings;
  const labels = readLabels(service);
  if (own === false || labels['enable'] === false) return { isOff: true };
  const { enable: _, ...fromLabels } = labels;
  const isPlain = typeof own === 'object' && own !== null && !Array.isArray(own);
  if (own !== undefined && own !== null && own !== true && !isPlain) {
    throw invalid(`${path}: expected false or settings but got something else`);
  }
  const fromKey = isPlain ? own : {};
  const twice = Object.keys(fromKey).find((key) => key in fromLabels);
  if (twice !== undefined) {
    throw invalid(`${path}.${twice}: expected it once but got the label countersign.${twice} too`);
  }
  const keys = Object.keys(serviceSchema.shape);
  const settings = parse(serviceSchema, { ...fromKey, ...fromLabels }, { path, keys });
  const unknown = settings.calls?.find((name) => !project.services.has(name));
  if (unknown !== undefined) {
    const meant = closest(unknown, project.services.keys());
    const hint = meant === undefined ? '' : ` (did you mean "${meant}"?)`;
    throw invalid(`${path}.calls: there is no service ${shown(unknown)}${hint}`);
  }
  return { ...settings, isOff: false };
}

const PREFIX = 'countersign.';

/** The labels in the form of the key: `countersign.ports: "8080=http, 9090=tcp"`. */
function readLabels({ labels }: ComposeService): Record<string, unknown> {
  const found = [...labels].filter(([key]) => key.startsWith(PREFIX));
  return Object.fromEntries(
    found.map(([label, text]) => {
      const key = label.slice(PREFIX.length);
      return [key, toLabelValue(key, text)];
    }),
  );
}

function toLabelValue(key: string, text: string): unknown {
  const items = text.split(',').map((item) => item.trim());
  switch (key) {
    case 'enable':
    case 'job':
      return text === 'true' ? true : text === 'false' ? false : text;
    case 'calls':
      return items.filter((item) => item !== '');
    case 'ports':
      return Object.fromEntries(
        items.map((item) => {
          const [port = '', protocol = ''] = item.split(/[=:]/, 2);
          return [port.trim(), protocol.trim()];
        }),
      );
    default:
      return text;
  }
}

interface Place {
  readonly path: string;
  readonly keys: readonly string[];
}

function parse<T>(schema: z.ZodType<T>, value: unknown, { path, keys }: Place): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  if (issue === undefined) throw invalid(`${path}: expected settings but got something else`);
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0] ?? '';
    const meant = key.length > LONGEST_SHOWN ? undefined : closest(key, keys);
    const known = `its keys are ${keys.join(', ')}`;
    const hint = meant === undefined ? known : `did you mean "${meant}"?`;
    throw invalid(`${path}: unknown key ${shown(key)}`, hint);
  }
  const where = [path, ...issue.path.map(String)].join('.');
  const message = issue.code === 'invalid_key' ? issue.issues[0]?.message : issue.message;
  throw invalid(`${where}: expected ${message ?? 'a setting'} but got something else`);
}

function shown(text: string): string {
  return `"${toShortText(text, LONGEST_SHOWN)}"`;
}

function invalid(message: string, hint?: string): MeshError {
  return new MeshError('compose-invalid', message, hint === undefined ? {} : { hint });
}
