import { join } from 'node:path';
import type { Command } from 'commander';
import { exampleMesh } from '../../policy/index.js';
import { type Context, writeLine } from '../../terminal/index.js';
import { textReader, toExample } from '../options.js';
import { createOutput, PUBLIC_MODE } from '../output-file.js';
import { quote } from '../shell.js';

const FILE = 'mesh.yaml';

export function define(command: Command, context: Context): void {
  command
    .argument('[dir]', 'where to write it', textReader('[dir]'), '.')
    .addHelpText('after', toExample('countersign init my-mesh'))
    .action(async (dir: string) => {
      const path = join(dir, FILE);
      const { random } = context;
      await createOutput(
        { path, content: exampleMesh(), mode: PUBLIC_MODE, random },
        'the file was left as it is: name another folder, or move it away',
      );
      writeLine(context.stdout, `wrote ${path}`);
      writeLine(context.stdout, `next: countersign check ${quote(path)}`);
    });
}
