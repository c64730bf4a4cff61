// Generated code, then TypeScript, then what `dist` needs beside the compiled files. Skips what is
// current.
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const run = (file, ...args) =>
  execFileSync(process.execPath, [join(root, file), ...args], { cwd: root, stdio: 'inherit' });

run('scripts/gen.mjs');
rmSync(join(root, 'dist'), { recursive: true, force: true });
run('node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json');
cpSync(join(root, 'src/gen'), join(root, 'dist/gen'), {
  recursive: true,
  filter: (source) => !source.endsWith('.stamp'),
});
chmodSync(join(root, 'dist/cli/main.js'), 0o755);
