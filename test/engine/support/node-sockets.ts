import { lookup } from 'node:dns/promises';
import { connect } from 'node:net';
import type { Clock, Connection, Sockets } from '../../../src/engine/ports/index.ts';

/** Outgoing connections on Node.js. TLS is only counted: what stands behind a test's tunnel speaks plainly. */
export function nodeSockets(): Sockets & { secured: string[] } {
  const secured: string[] = [];
  const unused = (): never => {
    throw new Error('not for registries');
  };
  return {
    secured,
    listen: unused, connectUnix: unused, connectRecords: unused, adopt: unused, reserve: unused, datagrams: unused, listenInside: unused,
    dial: ({ host, port }) => open(host, port),
    secureServer: unused,
    secure: async (_, { serverName }) => void secured.push(serverName),
    resolve: async (host) => [(await lookup(host)).address],
    trust: () => ({ certificateCount: 0 }),
  };
}

async function open(host: string, port: number): Promise<Connection> {
  const socket = connect(port, host);
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  const parts = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  return {
    async read() {
      const { value, done } = await parts.next();
      return done === true ? null : new Uint8Array(value);
    },
    write: (data) =>
      new Promise((resolve, reject) => {
        const whole = Buffer.concat((Array.isArray(data) ? data : [data]).map((part: string | Uint8Array) => Buffer.from(part)));
        socket.write(whole, (error) => (error == null ? resolve() : reject(error)));
      }),
    shutdown: async () => void socket.end(),
    close: () => void socket.destroy(),
  };
}

export const nodeClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};
