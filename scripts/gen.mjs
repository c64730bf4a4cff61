// Generates src/gen from Envoy's v3 API protos and our own: encoders without reflection (what
// `serve` loads), exact TypeScript shapes of every message (a misspelt field doesn't compile), and
// the JSON descriptor for ProtoJSON (`render`, `bootstrap`, tests). `api` is for users of the
// library, with decoders and many more messages; nothing of ours loads it. Nothing there is edited
// or committed.
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import { toReflection } from './gen-reflection.mjs';
import { emitTypes } from './gen-types.mjs';
import { writeNewerProtos } from './newer-fields.mjs';
import {
  BOOTSTRAP_PROTOS,
  DESCRIBED_PROTOS,
  ENCODED_PROTOS,
  REFLECTED_PROTOS,
  toLibraryProtos,
} from './proto-files.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
/** src/gen, or the folder given (which scripts/check-gen.mjs compares with it). */
const out = process.argv[2] ?? join(root, 'src', 'gen');
const require = createRequire(import.meta.url);
const pbjs = require('protobufjs-cli/pbjs');
const deps = join(dirname(require.resolve('@grpc/grpc-js-xds/package.json')), 'deps');
const newer = mkdtempSync(join(tmpdir(), 'countersign-protos-'));
process.once('exit', () => rmSync(newer, { recursive: true, force: true }));
writeNewerProtos(newer, join(deps, 'envoy-api'));
const includes = [
  newer,
  ...['envoy-api', 'googleapis', 'protoc-gen-validate', 'xds'].map((d) => join(deps, d)),
  dirname(require.resolve('protobufjs/package.json')),
];
const ownProtos = readdirSync(join(root, 'protos'), { recursive: true })
  .filter((f) => f.endsWith('.proto'))
  .sort();
/**
 * The older name of reflection says the same in the same bytes: described, but without code of its
 * own. A service alone is for clients that load the text of these files.
 */
const wireProtos = ownProtos.filter((file) => !/-(alpha|service)\.proto$/.test(file));

function inputsHash() {
  const hash = createHash('sha256');
  const inputs = [
    ...[
      'gen.mjs',
      'gen-types.mjs',
      'gen-reflection.mjs',
      'newer-fields.mjs',
      'proto-files.mjs',
    ].map((f) => join(root, 'scripts', f)),
    ...ownProtos.map((f) => join(root, 'protos', f)),
    require.resolve('@grpc/grpc-js-xds/package.json'),
    require.resolve('protobufjs/package.json'),
    require.resolve('protobufjs-cli/package.json'),
  ];
  for (const file of inputs) hash.update(readFileSync(file));
  return hash.digest('hex');
}

function runPbjs(args) {
  return new Promise((resolve, reject) => {
    pbjs.main(args, (error) => (error ? reject(error) : resolve()));
  });
}

function loadRoot(files, paths) {
  const loaded = new protobuf.Root();
  loaded.resolvePath = (_origin, target) =>
    paths.map((p) => join(p, target)).find((p) => existsSync(p)) ?? target;
  loaded.loadSync(files);
  loaded.resolveAll();
  return loaded;
}

/** Codecs and shapes of one closed set of protos: <name>.js and <name>.d.ts. */
async function emitModule({ name, files, described, paths, methods }) {
  const target = join(out, `${name}.js`);
  await runPbjs([
    ...['-t', 'static-module', '-w', 'esm', '-r', name, '--force-number', '--null-semantics'],
    ...['--no-verify', '--no-convert', '--no-delimited', '--no-service', '--no-comments'],
    ...['--no-create', '--no-typeurl', '--no-beautify'],
    ...(methods.includes('decode') ? [] : ['--no-decode']),
    ...(methods.includes('encode') ? [] : ['--no-encode']),
    ...paths.flatMap((p) => ['-p', p]),
    ...['-o', target, ...files],
  ]);
  const encoded = loadRoot(files, paths);
  const shapes = loadRoot(described, paths);
  writeFileSync(join(out, `${name}.d.ts`), emitTypes(shapes, encoded, methods));
}

const stamp = join(out, '.stamp');
const wanted = inputsHash();
if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) process.exit(0);
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const ownRoot = join(root, 'protos');
await emitModule({
  name: 'envoy',
  files: ENCODED_PROTOS,
  described: DESCRIBED_PROTOS,
  paths: includes,
  methods: ['encode'],
});
await emitModule({
  name: 'bootstrap',
  files: BOOTSTRAP_PROTOS,
  described: BOOTSTRAP_PROTOS,
  paths: includes,
  methods: ['encode'],
});
const envoyFiles = readdirSync(join(deps, 'envoy-api'), { recursive: true })
  .filter((file) => file.endsWith('.proto'))
  .map((file) => file.replaceAll('\\', '/'));
const libraryProtos = toLibraryProtos(envoyFiles);
await emitModule({
  name: 'api',
  files: libraryProtos,
  described: libraryProtos,
  paths: includes,
  methods: ['encode', 'decode'],
});
await emitModule({
  name: 'wire',
  files: wireProtos,
  described: wireProtos,
  paths: [ownRoot],
  methods: ['encode', 'decode'],
});
const descriptor = loadRoot(DESCRIBED_PROTOS, includes).toJSON({ keepComments: false });
writeFileSync(join(out, 'descriptor.json'), JSON.stringify(descriptor));
const ownServices = ownProtos.filter((file) =>
  /(health|istio-ca|otlp-export|reflection(-alpha)?)\.proto$/.test(file),
);
const reflectedFiles = [...REFLECTED_PROTOS, ...ownServices];
const paths = [...includes, ownRoot];
const reflection = toReflection(loadRoot(reflectedFiles, paths), { files: reflectedFiles, paths });
writeFileSync(join(out, 'reflection.json'), JSON.stringify(reflection));
writeFileSync(stamp, wanted);
process.stdout.write(`generated ${relative(process.cwd(), out) || out}\n`);
