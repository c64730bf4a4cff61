import { expect, it } from 'vitest';
import { FILES, some } from './files.js';
import { readText } from './sources.js';

// The second Envoy of a host doesn't start without --disable-hot-restart, and a reader copies what
// stands there.

it('a command line that starts a sidecar lets another one on its host', () => {
  const texts = FILES.filter((path) => /^(README|docs\/|envoy-examples\/|src\/)/.test(path));
  const commands = texts.flatMap((path) => {
    const lines = readText(path).text.replaceAll('\\\n', ' ').split('\n');
    return lines.filter((line) => /--drain-time-s \d/.test(line)).map((line) => `${path}: ${line}`);
  });
  expect(some(commands).filter((line) => !line.includes('--disable-hot-restart'))).toEqual([]);
});
