import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export interface FakeReply {
  readonly status?: number;
  /** Sent as JSON, or as it is where it is text. */
  readonly body: unknown;
}

export interface FakeAdmin {
  /** `127.0.0.1:<port>` */
  readonly address: string;
  /** What was asked, in order: path and query. */
  readonly asked: readonly string[];
  /** The authorization header of the newest question. */
  authorization(): string | undefined;
}

/** An admin port that answers each question as the test says. Ends with the test. */
export async function startFakeAdmin(
  answer: (path: string, times: number) => FakeReply,
): Promise<FakeAdmin> {
  const asked: string[] = [];
  let newest: IncomingMessage | undefined;
  const server = createServer((request, response) => {
    newest = request;
    const path = request.url ?? '';
    asked.push(path);
    const { status = 200, body } = answer(path, asked.length);
    response.writeHead(status);
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())));
  const { port } = server.address() as AddressInfo;
  const authorization = (): string | undefined => newest?.headers.authorization;
  return { address: `127.0.0.1:${port}`, asked, authorization };
}
