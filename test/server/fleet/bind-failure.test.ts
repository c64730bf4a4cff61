import { describe, expect, it } from 'vitest';
import { judgeRejection } from '../../../src/server/fleet/bind-failure.js';
import { createResource, type Rejection } from '../../../src/xds/index.js';

const listener = (name: string) =>
  createResource({
    ...{ name, value: Buffer.from(name), version: 'v' },
    source: { file: 'mesh.yaml', line: 9, column: 7 },
  });

const rejection = (message: string, ...names: string[]): Rejection => ({
  ...{ message, version: 'v', resources: names.map(listener) },
});

const HEADING = 'Error adding/updating listener(s)';

/** As Envoy writes them; the rows of both versions are what was seen of it. */
const WORDS = [
  ["cannot bind '10.0.0.7:8080': Address already in use", 'in-use'],
  ["cannot bind '10.0.0.7:8080': Cannot assign requested address", 'not-local'],
  ["cannot bind '10.0.0.7:8080': Permission denied", 'not-permitted'],
  ["cannot bind '10.0.0.7:8080': Too many open files", 'other'],
] as const;

describe('a listener that cannot bind', () => {
  it.each(WORDS)('%s', (words, reason) => {
    const { bindFailures, isOther } = judgeRejection(
      rejection(`${HEADING} inbound:8080: ${words}\n`, 'inbound:8080'),
    );
    expect(isOther).toBe(false);
    expect(bindFailures).toEqual([
      {
        listener: 'inbound:8080',
        version: 'v',
        address: '10.0.0.7:8080',
        reason,
        words: words.split("': ")[1],
        source: 'mesh.yaml:9:7',
      },
    ]);
  });

  it.each(['\n', '\\n'])('each of several has its own address, lines apart by %j', (end) => {
    const lines = [
      "mesh: cannot bind '10.0.0.7:15443': Address already in use",
      "inbound:80: cannot bind '10.0.0.7:80': Permission denied",
    ];
    const { bindFailures } = judgeRejection(
      rejection(`${HEADING} ${lines.join(end)}${end}`, 'mesh', 'inbound:80'),
    );
    expect(bindFailures.map(({ listener, address, words }) => [listener, address, words])).toEqual([
      ['mesh', '10.0.0.7:15443', 'Address already in use'],
      ['inbound:80', '10.0.0.7:80', 'Permission denied'],
    ]);
  });

  it('beside one with another fault: that one holds a rollout back', () => {
    const message = `${HEADING} a: no such filter\nb: cannot bind '10.0.0.7:80': Address in use\n`;
    const { bindFailures, isOther } = judgeRejection(rejection(message, 'a', 'b'));
    expect([isOther, bindFailures.map(({ listener }) => listener)]).toEqual([true, ['b']]);
  });

  it('stays one when another listener is rejected later for something else', () => {
    const earlier = new Map([['a', `${HEADING} a: cannot bind '10.0.0.7:80': Address in use`]]);
    const { bindFailures, isOther } = judgeRejection({
      ...rejection(`${HEADING} b: no such filter`, 'a', 'b'),
      earlier,
    });
    expect([isOther, bindFailures.map(({ address }) => address)]).toEqual([true, ['10.0.0.7:80']]);
  });
});
