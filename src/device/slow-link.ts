import { once } from 'node:events';
import { createServer, createConnection, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Small enough that a slow link looks even: 1/8 of a second at 256 kbit/s. */
const sliceBytes = 4096;

/** A relay on the loopback between a board and a server of the host, which passes bytes on no faster than it is told to. */
export interface SlowLink {
  port: number;
  /** Null: as fast as it goes. Holds for connections that are open, too. */
  setRate(bytesPerSecond: number | null): void;
  /** Bytes that went from the server to the board so far. */
  passedBytes(): number;
  close(): Promise<void>;
}

/** One direction of the link, shared by all connections as a wire is. */
function wire(rate: () => number | null): (bytes: number) => Promise<void> {
  let freeAt = 0;
  return async (bytes) => {
    const bytesPerSecond = rate();
    if (bytesPerSecond === null) return;
    freeAt = Math.max(freeAt, performance.now()) + (bytes / bytesPerSecond) * 1000;
    await sleep(freeAt - performance.now());
  };
}

/** @param serverPort port of the loopback */
export async function openSlowLink(serverPort: number): Promise<SlowLink> {
  let rate: number | null = null;
  let passed = 0;
  const [up, down] = [wire(() => rate), wire(() => rate)];
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy()); // the other end is told below, by the end of this one
  };
  const server = createServer({ allowHalfOpen: true }, (board) => {
    const upstream = createConnection({ host: '127.0.0.1', port: serverPort, allowHalfOpen: true });
    for (const socket of [board, upstream]) keep(socket);
    void pass(board, upstream, up);
    void pass(upstream, board, async (bytes) => {
      await down(bytes);
      passed += bytes;
    });
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    setRate: (bytesPerSecond) => void (rate = bytesPerSecond),
    passedBytes: () => passed,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function pass(from: Socket, to: Socket, turn: (bytes: number) => Promise<void>): Promise<void> {
  try {
    for await (const chunk of from.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      for (let at = 0; at < chunk.length; at += sliceBytes) {
        const slice = chunk.subarray(at, at + sliceBytes);
        await turn(slice.length);
        if (to.destroyed) return void from.destroy();
        if (!to.write(slice)) await Promise.race([once(to, 'drain'), once(to, 'close')]);
      }
    }
    to.end();
  } catch {
    to.destroy();
  }
}
