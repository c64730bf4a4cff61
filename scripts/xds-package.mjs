// The library as a package of its own, `countersign-xds`: the same compiled files that
// `countersign` has, without the command, the mesh, and all that only they depend on (decision
// 028).
//   node scripts/xds-package.mjs [folder]   default: .cache/countersign-xds; then `npm pack` there
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const target = resolve(process.argv[2] ?? join(root, '.cache', 'countersign-xds'));
const ENTRIES = ['dist/grpc/library.js', 'dist/gen/api.js'];
/** Read by the library, and named by its pages. */
const DATA = [
  ...['dist/gen/reflection.json', 'LICENSE', 'CHANGELOG.md'],
  ...['docs/api-xds.md', 'docs/api-envoy.md', 'docs/xds-rules.md', 'docs/errors.md'],
  'envoy-examples/08-xds-library',
];

/** What a module and its types load: files of ours, and packages. */
function closureOf(entries) {
  const files = new Set();
  const packages = new Set();
  const left = entries.flatMap((file) => [file, toTypes(file)]);
  for (let file = left.pop(); file !== undefined; file = left.pop()) {
    if (files.has(file)) continue;
    files.add(file);
    const text = readFileSync(join(root, file), 'utf8');
    for (const [, , name] of text.matchAll(/\b(from|import)\s*\(?\s*['"]([^'"]+)['"]/g)) {
      if (name.startsWith('node:')) continue;
      if (!name.startsWith('.'))
        packages.add(
          name
            .split('/')
            .slice(0, name[0] === '@' ? 2 : 1)
            .join('/'),
        );
      else {
        const next = relative(root, resolve(root, dirname(file), name)).replaceAll('\\', '/');
        left.push(next, toTypes(next));
      }
    }
  }
  return { files, packages };
}

function toTypes(file) {
  return file.replace(/\.js$/, '.d.ts');
}

const { files, packages } = closureOf(ENTRIES);
const whole = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const { version, license, author, type, engines } = whole;
const entry = whole.exports['./xds'];
const manifest = {
  name: 'countersign-xds',
  version,
  description:
    'An xDS management server for Node: SotW and delta, aggregated or by type, with caches',
  keywords: whole.keywords.filter((word) => !['mtls', 'spiffe'].includes(word)),
  ...{ author, license, type, engines },
  exports: { '.': entry, './envoy': whole.exports['./envoy'], './package.json': './package.json' },
  dependencies: Object.fromEntries(
    Object.entries(whole.dependencies).filter(([name]) => packages.has(name)),
  ),
};

rmSync(target, { recursive: true, force: true });
for (const file of [...files, ...DATA]) {
  mkdirSync(dirname(join(target, file)), { recursive: true });
  cpSync(join(root, file), join(target, file), { recursive: true });
}
// Pages and examples by this package's name.
for (const file of readdirSync(target, { recursive: true })) {
  if (file.startsWith('dist') || !/\.(md|mjs)$/.test(file)) continue;
  const text = readFileSync(join(target, file), 'utf8');
  writeFileSync(
    join(target, file),
    text.replace(/countersign\/(xds|envoy)\b/g, (_, part) =>
      part === 'xds' ? manifest.name : `${manifest.name}/envoy`,
    ),
  );
}
writeFileSync(
  join(target, 'README.md'),
  `# ${manifest.name}

${manifest.description}.
The library of Countersign alone: what \`countersign/xds\` and \`countersign/envoy\` are there, is
\`${manifest.name}\` and \`${manifest.name}/envoy\` here.

[API](docs/api-xds.md) · [messages](docs/api-envoy.md) ·
[which rule is kept where](docs/xds-rules.md) ·
[a server in 40 lines](envoy-examples/08-xds-library/README.md) · [changes](CHANGELOG.md)

Apache-2.0
`,
);
writeFileSync(join(target, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
process.stdout.write(`${target}\n`);
