import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { expect, it } from 'vitest';
import type { MeshError } from '../../../../src/base/index.js';
import { Connections } from '../../../../src/server/join/bounds/index.js';
import { ManualClock } from '../../../fakes/manual-clock.js';

// Which connections of the xDS port stay and which go, with sockets in memory.

class FakeSocket extends EventEmitter {
  bytesRead = 0;
  isOpen = true;
  readonly remoteAddress: string;
  readonly remotePort: number;

  constructor(address: string, port: number) {
    super();
    this.remoteAddress = address;
    this.remotePort = port;
  }

  destroy(): void {
    this.isOpen = false;
    this.emit('close');
  }
}

const LIMITS = { all: 20, ofAddress: 8, unproved: 10 };

function setUp(known: readonly string[] = []) {
  const clock = new ManualClock();
  const refused: string[] = [];
  const connections = new Connections({
    clock,
    limits: LIMITS,
    known,
    onRefusal: (address, { message }: MeshError) => void refused.push(`${address}: ${message}`),
  });
  connections.start();
  let port = 1_000;
  const open = (address: string): FakeSocket => {
    port += 1;
    const socket = new FakeSocket(address, port);
    connections.add(socket as unknown as Socket);
    return socket;
  };
  const originOf = ({ remoteAddress: address, remotePort: port }: FakeSocket) => ({
    address,
    port,
  });
  /** A sidecar: it proves itself and keeps a stream open. */
  const join = (address: string) => {
    const socket = open(address);
    connections.proved(originOf(socket));
    return { socket, endCall: connections.beginCall(originOf(socket)) };
  };
  const live = (sockets: readonly FakeSocket[]): number =>
    sockets.filter(({ isOpen }) => isOpen).length;
  return { clock, connections, refused, open, join, live, originOf };
}

it('without a stream of somebody proved a connection ends after ten seconds', () => {
  const { clock, open, join, connections } = setUp();
  const silent = open('10.0.0.1');
  const sidecar = join('10.0.0.2');
  clock.advance(10_000);
  expect(silent.isOpen).toBe(true);
  clock.advance(1_000);
  expect([silent.isOpen, sidecar.socket.isOpen]).toEqual([false, true]);
  sidecar.endCall();
  clock.advance(11_000);
  expect([sidecar.socket.isOpen, connections.view.open]).toEqual([false, 0]);
});

it('a call of nobody keeps no connection open', () => {
  const { clock, open, connections, originOf } = setUp();
  const socket = open('10.0.0.1');
  connections.beginCall(originOf(socket));
  clock.advance(11_000);
  expect(socket.isOpen).toBe(false);
});

it('20,000 idle connections of an address lock out no sidecar', () => {
  const { open, join, live, refused } = setUp();
  const fleet = ['10.0.0.2', '10.0.0.3', '10.0.0.1'].map((address) => join(address).socket);
  const idle = Array.from({ length: 1_000 }, () => open('10.0.0.1'));
  expect(live(idle)).toBeLessThanOrEqual(LIMITS.ofAddress);
  const late = [join('10.0.0.4').socket, join('10.0.0.1').socket];
  expect(live([...fleet, ...late])).toBe(5);
  expect(refused).toEqual([]);
});

it('connections that nobody proved anything on are few in all, the oldest of the most go', () => {
  const { open, live } = setUp();
  const single = open('10.0.0.1');
  const crowd = Array.from({ length: 60 }, (_, i) => open(`10.0.1.${i % 3}`));
  expect(single.isOpen).toBe(true);
  expect(live(crowd)).toBe(LIMITS.unproved - 1);
  expect(live(crowd.slice(-LIMITS.unproved + 1))).toBe(LIMITS.unproved - 1);
});

it('one address with a good token has its places and no more', () => {
  const { join, open, refused, connections } = setUp();
  const sidecars = Array.from({ length: LIMITS.ofAddress }, () => join('10.0.0.1').socket);
  const more = open('10.0.0.1');
  expect(more.isOpen).toBe(false);
  expect(sidecars.every(({ isOpen }) => isOpen)).toBe(true);
  expect(refused).toEqual(['10.0.0.1: expected at most 8 connections from one address']);
  expect(open('10.0.0.2').isOpen).toBe(true);
  expect(connections.view.open).toBe(LIMITS.ofAddress + 1);
});

it('an IPv6 host counts by its /64', () => {
  const { join, open } = setUp();
  for (let i = 0; i < LIMITS.ofAddress; i++) join(`2001:db8:0:1::${i + 1}`);
  expect(open('2001:db8:0:1::ffff').isOpen).toBe(false);
  expect(open('2001:db8:0:2::1').isOpen).toBe(true);
});

it('where all places are taken, some are left for addresses that had sidecars before', () => {
  const { join, open, refused } = setUp(['10.0.0.9']);
  for (let i = 0; i < LIMITS.all; i++) join(`10.0.${i}.1`);
  expect(refused).toHaveLength(2);
  expect(open('10.0.99.1').isOpen).toBe(false);
  expect(open('10.0.0.9').isOpen).toBe(true);
});

it('a socket that has read nothing for a minute is gone', () => {
  const { clock, join } = setUp();
  const [dead, live] = [join('10.0.0.1').socket, join('10.0.0.2').socket];
  for (let seconds = 0; seconds <= 70; seconds += 10) {
    live.bytesRead += 17;
    clock.advance(10_000);
  }
  expect([dead.isOpen, live.isOpen]).toEqual([false, true]);
});

it('a connection that begins calls without end is cut, and no other', () => {
  const { join, connections, originOf, refused, clock } = setUp();
  const [mad, sane] = [join('10.0.0.1').socket, join('10.0.0.2').socket];
  for (let calls = 0; calls < 600; calls++) connections.beginCall(originOf(mad))();
  expect([mad.isOpen, sane.isOpen]).toEqual([false, true]);
  expect(refused).toEqual(['10.0.0.1: expected at most 50 calls a second on a connection']);
  clock.advance(1_000);
  for (let calls = 0; calls < 100; calls++) connections.beginCall(originOf(sane))();
  expect(sane.isOpen).toBe(true);
});
