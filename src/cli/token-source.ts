// How a bootstrap gets its token: in the bootstrap itself, or in a file, with an SDS file next to
// it that names the file. Measured on Envoy 1.40: it notices a token file that is replaced (mv),
// but not one that is edited in place, and it trims the newline at the end.
import { readFile } from 'node:fs/promises';
import { MeshError, systemErrorCode } from '../base/index.js';
import { toNodeId } from '../spiffe/index.js';
import { type Io, writeLine } from '../terminal/index.js';
import { createTokenKeys } from '../tokens/index.js';
import { TOKEN_SECRET, type TokenSource } from '../translate/bootstrap/index.js';
import { TYPE_URLS } from '../xds/index.js';
import type { NamedFile } from './bootstrap-folder.js';
import { formatError } from './exit.js';
import { describeToken, type NodeTokenRequest, signNodeToken } from './node-token.js';
import { usage } from './options.js';
import { createOutput, PRIVATE_MODE, writeOutput } from './output-file.js';

export interface TokenSourceRequest extends NodeTokenRequest {
  /** Where the token is or will be; undefined: inside the bootstrap. */
  readonly tokenFile: NamedFile | undefined;
  readonly stderr: Io['stderr'];
}

/**
 * Makes a token if there is none yet, and the SDS file.
 * @throws MeshError token-wrong-service if the file has another service's token; usage if it is
 * empty; file-unwritable, data-damaged, data-unwritable.
 */
export async function provideToken(request: TokenSourceRequest): Promise<TokenSource> {
  const { tokenFile, service, instance, stderr, random } = request;
  const holder = instance === undefined ? service : toNodeId({ service, instance });
  if (tokenFile === undefined) {
    const signed = await signNodeToken(request);
    writeLine(stderr, describeToken(signed, holder));
    return { kind: 'inline', token: signed.token };
  }
  const { path, named } = tokenFile;
  const found = await tryReadToken(path);
  if (found === undefined) {
    const signed = await signNodeToken(request);
    const content = `${signed.token}\n`;
    await createOutput({ path, content, mode: PRIVATE_MODE, random }, 'run the command again');
    writeLine(stderr, `${describeToken(signed, holder)}, in ${path}`);
  } else {
    await checkToken(found, path, request);
  }
  const sdsPath = `${path}.sds.json`;
  const content = `${JSON.stringify(toSdsFile(named), undefined, 2)}\n`;
  await writeOutput({ path: sdsPath, content, mode: PRIVATE_MODE, random });
  return { kind: 'file', sdsPath: `${named}.sds.json` };
}

/** What Envoy reads to find the token's file: a DiscoveryResponse in ProtoJSON. */
function toSdsFile(tokenPath: string): object {
  const secret = { filename: tokenPath };
  const resource = { '@type': TYPE_URLS.secret, name: TOKEN_SECRET, generic_secret: { secret } };
  return { resources: [resource] };
}

async function tryReadToken(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === 'ENOENT') return undefined;
    throw usage(`--token-file: expected a file to read at ${path} but got ${code ?? 'an error'}`);
  }
}

/**
 * A token of this server for another service is a mix-up; an expired one may be replaced later.
 */
async function checkToken(
  token: string,
  path: string,
  { dataDir, clock, random, service, stderr }: TokenSourceRequest,
): Promise<void> {
  if (token === '') throw usage(`--token-file: expected a token in ${path} but it is empty`);
  const keys = await createTokenKeys({ dataDir, clock, random });
  try {
    const { subject } = keys.verify(token, { audience: 'countersign-xds' });
    if (subject === service) return;
    const message = `expected a token for "${service}" in ${path} but got one for "${subject}"`;
    const hint = 'name another file: each service has a token of its own';
    throw new MeshError('token-wrong-service', message, { hint });
  } catch (error) {
    if (!(error instanceof MeshError) || error.code === 'token-wrong-service') throw error;
    const { code, message, hint, variant } = error;
    const shown = new MeshError(code, `${path}: ${message}`, {
      ...(hint === undefined ? {} : { hint }),
      ...(variant === undefined ? {} : { variant }),
    });
    writeLine(stderr, formatError(shown).replace(/^error/, 'warning'));
  }
}
