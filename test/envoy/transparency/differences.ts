import type { Difference, Observed } from './case.js';
import type { Message } from './http1.js';

// What can't be unchanged. Each is named by the line of docs/limits.md that says so, and says
// exactly what becomes of the direct exchange: any other difference fails.

const everyRequest =
  (change: (message: Message) => Message) =>
  (direct: Observed): Observed => ({ ...direct, requests: direct.requests.map(change) });

const everyAnswer =
  (change: (message: Message) => Message) =>
  (direct: Observed): Observed => ({ ...direct, answers: direct.answers.map(change) });

const sorted = (lines: readonly string[]): string[] => [...lines].sort();

/** A request that says nothing of its length gets `content-length: 0`. */
export const lengthOfNothing: Difference = {
  limit: 'length-of-nothing',
  becomes: everyRequest((message) => ({
    ...message,
    framing: 'length',
    headers: sorted([...message.headers, 'content-length: 0']),
  })),
};

/** The words after the status are the standard's as Envoy knows it. */
export function reason(...words: readonly string[]): Difference {
  return {
    limit: 'reason-phrase',
    becomes: (direct) => ({
      ...direct,
      answers: direct.answers.map((message, index) => {
        const [version, status] = message.start.split(' ');
        const word = words[index];
        return word === undefined ? message : { ...message, start: `${version} ${status} ${word}` };
      }),
    }),
  };
}

/** Of several interim answers the first arrives. */
export const oneInterim: Difference = {
  limit: 'one-interim-answer',
  becomes: (direct) => {
    const [first, , ...rest] = direct.answers;
    const interim = first === undefined ? [] : [{ ...first, start: 'HTTP/1.1 103 Unknown' }];
    return { ...direct, answers: [...interim, ...rest] };
  },
};

/** A client that ends its side is taken for one that has gone. */
export const halfClose: Difference = {
  limit: 'half-close',
  byChance: true,
  becomes: (direct) => ({ ...direct, requests: [], answers: [], cut: true }),
};

/** Both ends speak HTTP/1.1, whatever the other side spoke. */
export const version: Difference = {
  limit: 'http-1.0',
  becomes: (direct) => ({
    ...direct,
    requests: direct.requests.map((message) => ({
      ...message,
      start: message.start.replace('HTTP/1.0', 'HTTP/1.1'),
    })),
    answers: direct.answers.map((message) => ({
      ...message,
      start: direct.requests.some(({ start }) => start.endsWith('HTTP/1.0'))
        ? message.start.replace('HTTP/1.1', 'HTTP/1.0')
        : message.start.replace('HTTP/1.0', 'HTTP/1.1'),
    })),
  }),
};

/** It needs a Host then, and gets the name of the service. */
export const versionAndHost: Difference = {
  limit: 'http-1.0',
  becomes: (direct, way) => {
    const through = version.becomes(direct, way);
    const named = everyRequest((message) => ({ ...message, headers: [`host: by-${way}`] }));
    return named(through);
  },
};

export const originForm: Difference = {
  limit: 'absolute-form',
  becomes: everyRequest((message) => ({
    ...message,
    start: message.start.replace('http://app.example', ''),
  })),
};

/** What ends with the connection is sent in chunks. */
export const chunks: Difference = {
  limit: 'chunks',
  becomes: everyAnswer((message) => ({ ...message, framing: 'chunked' })),
};

export const dated: Difference = {
  limit: 'date',
  becomes: everyAnswer((message) => ({
    ...message,
    headers: sorted([...message.headers, 'date: now']),
  })),
};

/** The sidecar's own answer, and nothing at the application. */
export function refused(limit: string, status: string): Difference {
  return {
    limit,
    becomes: (direct) => ({
      ...direct,
      requests: [],
      answers: [
        {
          start: `HTTP/1.1 ${status}`,
          headers: ['content-length: 0', 'date: now'],
          framing: 'length',
          body: '',
          trailers: [],
        },
      ],
    }),
  };
}

export function without(limit: string, ...headers: readonly string[]): Difference {
  return {
    limit,
    becomes: everyRequest((message) => ({
      ...message,
      headers: message.headers.filter((line) => !headers.includes(line)),
    })),
  };
}

/**
 * Between sidecars a WebSocket is a stream of HTTP/2, where 200 is the word for 101; in plain text
 * such an answer loses its body.
 */
export const acceptedUpgrade: Difference = {
  limit: 'upgrade-answered-200',
  becomes: (direct, way) => ({
    ...direct,
    answers: direct.answers.map((message) =>
      way === 'mesh'
        ? {
            ...message,
            start: 'HTTP/1.1 101 Switching Protocols',
            headers: sorted([
              ...message.headers.filter((line) => !line.startsWith('content-length')),
              'upgrade: websocket',
            ]),
            framing: 'none',
            body: '',
          }
        : {
            ...message,
            headers: message.headers.map((line) =>
              line.replace('content-length: 2', 'content-length: 0'),
            ),
            body: '',
          },
    ),
  }),
};

/** No route of ours is for CONNECT: the caller's sidecar has none, the callee's rules refuse it. */
export const noConnect: Difference = {
  limit: 'connect',
  becomes: (direct, way) => {
    const through = refused('connect', '404 Not Found').becomes(direct, way);
    return way === 'mesh'
      ? through
      : everyAnswer((message) => ({
          ...message,
          start: 'HTTP/1.1 403 Forbidden',
          headers: ['content-length: 19', 'content-type: text/plain', 'date: now'],
          body: 'RBAC: access denied',
        }))(through);
  },
};
