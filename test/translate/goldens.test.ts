import { describe, expect, it } from 'vitest';
import { goldenCases, readGoldens, toGoldens, writeGoldens } from './golden-cases.js';

// What each sidecar is sent, whole, as Envoy's own ProtoJSON. After a wanted change:
// UPDATE_GOLDENS=1 npx vitest run test/translate, and read the difference.

const UPDATE = process.env['UPDATE_GOLDENS'] === '1';

it('there are cases', () => {
  expect(goldenCases.length).toBeGreaterThan(0);
});

describe.each(goldenCases)('%s', (name) => {
  it('is translated as its golden files say', () => {
    const goldens = toGoldens(name);
    expect(goldens.size, 'a case without output shows nothing').toBeGreaterThan(0);
    if (UPDATE) writeGoldens(name, goldens);
    const stored = readGoldens(name);
    expect([...stored.keys()], 'files that are missing or stale').toEqual([...goldens.keys()]);
    for (const [service, text] of goldens) expect(stored.get(service), service).toBe(text);
  });
});
