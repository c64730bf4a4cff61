// `authority:`, the outside CA that signs the mesh's certificates: what its settings may be, and
// where the files that they name are. Whether those files exist is for the server to find out.
import { dirname, isAbsolute, join } from 'node:path';
import type { AuthoritySettings } from './model.js';
import { expected, type Parsed, parsed } from './parsed.js';
import { formatPath, type Path, placeAt, type Tree } from './tree.js';

const URL_FORM = 'an https address such as https://ca.example:9000';
const MAX_NAME_LENGTH = 128;
const PRINTABLE = /^[^\p{Cc}\p{Cf}]+$/u;

/** `https://host:port`, without anything behind it. */
export function tryAuthorityUrl(text: string): Parsed<string> {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) return expected(URL_FORM);
  if (url.protocol !== 'https:') {
    return expected(URL_FORM, 'step-ca serves TLS only');
  }
  const more = [url.username, url.password, url.search, url.hash].some((part) => part !== '');
  if (more || url.pathname !== '/') return expected(URL_FORM, `write ${url.origin}`);
  return parsed(url.origin);
}

export function tryProvisioner(text: string): Parsed<string> {
  if (text.length > 0 && text.length <= MAX_NAME_LENGTH && PRINTABLE.test(text)) {
    return parsed(text);
  }
  return expected(`the name of a provisioner, of at most ${MAX_NAME_LENGTH} characters`);
}

export function tryFilePath(text: string): Parsed<string> {
  return text !== '' && PRINTABLE.test(text) ? parsed(text) : expected('the path of a file');
}

/** `authority:` as the schema yields it. */
interface AuthorityText {
  readonly stepCa: {
    readonly url: string;
    readonly root: string;
    readonly provisioner: string;
    readonly key: string;
  };
}

/** The CA that the mesh asks for; undefined: the server's own. */
export function resolveAuthority(
  text: AuthorityText | undefined,
  tree: Tree,
): AuthoritySettings | undefined {
  if (text === undefined) return undefined;
  const path = ['authority', 'stepCa'];
  const { url, root, provisioner, key } = text.stepCa;
  return {
    kind: 'step-ca',
    url,
    rootPath: besideItsFile(root, { tree, path: [...path, 'root'] }),
    provisioner,
    keyPath: besideItsFile(key, { tree, path: [...path, 'key'] }),
    source: placeAt(tree, path),
  };
}

/** Paths are relative to the file that names them. */
function besideItsFile(file: string, { tree, path }: { tree: Tree; path: Path }): string {
  return isAbsolute(file) ? file : join(dirname(placeAt(tree, path).file), file);
}

/** Where the settings differ, as a path of mesh.yaml; undefined where they say the same. */
export function changedAuthority(
  before: AuthoritySettings | undefined,
  after: AuthoritySettings | undefined,
): string | undefined {
  if (before === undefined || after === undefined) {
    return before === after ? undefined : 'authority';
  }
  const keys = {
    url: 'url',
    rootPath: 'root',
    provisioner: 'provisioner',
    keyPath: 'key',
  } as const;
  for (const [field, key] of Object.entries(keys)) {
    const name = field as keyof typeof keys;
    if (before[name] !== after[name]) return formatPath(['authority', 'stepCa', key]);
  }
  return undefined;
}
