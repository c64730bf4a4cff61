import { expect, test } from 'vitest';
import { Outlet } from '../../src/grpc/outlet.js';
import { FakeTransport } from './fake-transport.js';

const MAX_UNREAD_BYTES = 100;

function setUp() {
  const transport = new FakeTransport();
  const events: string[] = [];
  const outlet = new Outlet({
    transport,
    maxUnreadBytes: MAX_UNREAD_BYTES,
    onPause: () => void events.push('pause'),
    onResume: () => void events.push('resume'),
  });
  return { transport, events, write: (size: number) => outlet.write(Buffer.alloc(size)) };
}

test('up to the limit nothing pauses', () => {
  const { transport, events, write } = setUp();
  write(60);
  write(40);
  expect(events).toEqual([]);
  transport.take();
  write(MAX_UNREAD_BYTES);
  expect(events).toEqual([]);
});

test('over the limit it pauses once, and resumes once enough was taken', () => {
  const { transport, events, write } = setUp();
  write(60);
  write(41);
  // A step that was under way may still write.
  write(80);
  expect(events).toEqual(['pause']);
  transport.take(1);
  expect(events).toEqual(['pause']);
  transport.take(1);
  expect(events).toEqual(['pause', 'resume']);
  transport.take();
  expect(events).toEqual(['pause', 'resume']);
});

test('one message that is larger than the limit by itself is written, and then no more', () => {
  const { transport, events, write } = setUp();
  write(MAX_UNREAD_BYTES + 1);
  expect(transport.written).toHaveLength(1);
  expect(events).toEqual(['pause']);
});

test('a transport that wants nothing more pauses it, however little is unread', () => {
  const { transport, events, write } = setUp();
  transport.writableNeedDrain = true;
  write(1);
  expect(events).toEqual(['pause']);
  transport.writableNeedDrain = false;
  transport.take();
  expect(events).toEqual(['pause', 'resume']);
});
