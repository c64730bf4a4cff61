// What a compose file must look like before anything is made of it: Compose's own schema as far as
// its mistakes are common ones. What Compose itself read has passed it.
import { closest } from '../../base/index.js';
import type { ComposePlace } from './compose-error.js';
import { composeInvalid, shownName } from './compose-error.js';
import { SERVICE_KEYS, TOP_KEYS } from './service-keys.js';
import { isMap, type Value, type ValueMap } from './values.js';

type PlaceOf = (path: readonly string[]) => ComposePlace | undefined;

const MAPS = ['networks', 'volumes', 'secrets', 'configs'];
/** Of a service, whose value is a list where it isn't a map. */
const LISTS = ['ports', 'expose', 'links', 'volumes', 'profiles', 'cap_add', 'volumes_from'];
const LISTS_OR_MAPS = ['depends_on', 'networks'];
const SERVICE_NAME = /^[a-zA-Z0-9._-]+$/;

/** @throws MeshError `compose-invalid` */
export function checkShape(project: ValueMap, placeOf: PlaceOf): void {
  for (const key of Object.keys(project)) {
    if (TOP_KEYS.includes(key) || key.startsWith('x-')) continue;
    throw unknownKey({ key, known: TOP_KEYS, what: `"${key}"`, at: placeOf([key]) });
  }
  for (const key of MAPS) expectMap([key], project[key], placeOf);
  const services = project['services'];
  if (!isMap(services)) {
    throw composeInvalid('expected a map at services but got something else', {
      at: placeOf(['services']),
    });
  }
  for (const [name, service] of Object.entries(services)) checkService(name, service, placeOf);
}

function checkService(name: string, service: Value, placeOf: PlaceOf): void {
  const at = placeOf(['services', name]);
  if (!SERVICE_NAME.test(name)) {
    const rule = 'of letters, digits, dots, dashes and underscores';
    throw composeInvalid(`expected a service name ${rule} but got ${shownName(name)}`, { at });
  }
  if (!isMap(service)) {
    throw composeInvalid(`expected settings of service ${shownName(name)} but got none`, { at });
  }
  for (const [key, value] of Object.entries(service)) {
    const path = ['services', name, key];
    if (key.startsWith('x-')) continue;
    if (!SERVICE_KEYS.includes(key)) {
      const what = `${shownName(key)} in service ${shownName(name)}`;
      throw unknownKey({ key, known: SERVICE_KEYS, what, at: placeOf(path) });
    }
    const isWrong =
      (LISTS.includes(key) && !Array.isArray(value)) ||
      (LISTS_OR_MAPS.includes(key) && !Array.isArray(value) && !isMap(value));
    if (isWrong) {
      const message = `${path.join('.')}: expected a list but got something else`;
      throw composeInvalid(message, { at: placeOf(path) });
    }
  }
  const isNothing = !['image', 'build', 'provider'].some((key) => (service[key] ?? null) !== null);
  if (isNothing) {
    throw composeInvalid(`service ${shownName(name)} has neither an image nor a build`, { at });
  }
}

function expectMap(path: readonly string[], value: Value | undefined, placeOf: PlaceOf): void {
  if (value === undefined || value === null || isMap(value)) return;
  const message = `expected a map at ${path.join('.')} but got something else`;
  throw composeInvalid(message, { at: placeOf(path) });
}

interface UnknownKey {
  readonly key: string;
  readonly known: readonly string[];
  readonly what: string;
  readonly at: ComposePlace | undefined;
}

function unknownKey({ key, known, what, at }: UnknownKey): Error {
  const meant = key.length > 32 ? undefined : closest(key, known);
  const hint = meant === undefined ? '' : ` (did you mean "${meant}"?)`;
  return composeInvalid(`unknown key ${what}${hint}`, { at });
}

/** Keys that a service has, and the top of a file hasn't. */
const V1_KEYS = ['image', 'build', 'dockerfile', 'command', 'ports', 'links'];

/** Whether services stand at the top of the file, as in the format before `services:`. */
export function isFirstFormat(value: Value): boolean {
  if (!isMap(value) || 'services' in value || 'include' in value) return false;
  const sections = Object.entries(value).filter(([key]) => !TOP_KEYS.includes(key));
  return sections.some(([, inner]) => isMap(inner) && V1_KEYS.some((key) => key in inner));
}
