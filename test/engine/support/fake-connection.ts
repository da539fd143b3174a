import type { Chunk, Connection } from '../../../src/engine/ports/index.ts';

export interface FakeConnection extends Connection {
  /** Bytes from the client. */
  send(data: string): void;
  /** The client ends its direction. */
  end(): void;
  readonly received: string;
  readonly closed: boolean;
}

/** Both ends of a connection in memory. */
export function fakeConnection(): FakeConnection {
  const queue: (Uint8Array | null)[] = [];
  let waiting: ((part: Uint8Array | null) => void) | undefined;
  let received = '';
  let closed = false;
  const push = (part: Uint8Array | null): void => {
    if (waiting === undefined) queue.push(part);
    else {
      const resolve = waiting;
      waiting = undefined;
      resolve(part);
    }
  };
  return {
    send: (data) => push(new Uint8Array(Buffer.from(data, 'latin1'))),
    end: () => push(null),
    get received() {
      return received;
    },
    get closed() {
      return closed;
    },
    read() {
      const next = queue.shift();
      if (next !== undefined) return Promise.resolve(next);
      return new Promise((resolve) => {
        waiting = resolve;
      });
    },
    write(data: Chunk) {
      const parts = typeof data === 'string' || data instanceof Uint8Array ? [data] : data;
      for (const part of parts) received += typeof part === 'string' ? part : Buffer.from(part).toString('latin1');
      return Promise.resolve();
    },
    shutdown: () => Promise.resolve(),
    close() {
      closed = true;
      push(null);
    },
  };
}
