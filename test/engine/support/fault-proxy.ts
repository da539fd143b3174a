import { connect, createServer, type Socket } from 'node:net';

/** What is done to the bytes that come back on one connection. Places count from the connection's first byte. */
export interface StreamFault {
  cutAfterBytes?: number;
  /** Flips a bit of this byte. */
  corruptAt?: number;
  /** Holds everything from there on back for a time. */
  stallAt?: { byte: number; forMs: number };
  bytesPerSecond?: number;
}

/** Manifests and configurations are shorter. */
const DOCUMENT_BYTES = 32 * 1024;

export interface FaultProxy {
  /** Asked for each connection that brings more than documents, by its number among those since `reset`. */
  fault: (connection: number) => StreamFault | undefined;
  /** Bytes that nobody sent, in front of every answer. */
  prefix: string;
  reset(): void;
  close(): void;
}

/** Between two unix sockets: what is asked goes through as it is, what is answered is spoiled as told. */
export async function openFaultProxy(socketPath: string, upstreamPath: string): Promise<FaultProxy> {
  const open = new Set<Socket>();
  let connections = 0;
  const proxy: FaultProxy = {
    fault: () => undefined,
    prefix: '',
    reset() {
      connections = 0;
      proxy.prefix = '';
      proxy.fault = () => undefined;
      for (const socket of open) socket.destroy();
    },
    close() {
      for (const socket of open) socket.destroy();
      server.close();
    },
  };
  const server = createServer((client) => {
    const upstream = connect(upstreamPath);
    for (const [socket, other] of [[client, upstream], [upstream, client]] as const) {
      open.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        open.delete(socket);
        other.destroy();
      });
    }
    client.pipe(upstream);
    if (proxy.prefix !== '') client.write(proxy.prefix);
    void spoil(upstream, client, () => proxy.fault(connections++) ?? {});
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  return proxy;
}

async function spoil(from: Socket, to: Socket, choose: () => StreamFault): Promise<void> {
  let fault: StreamFault | undefined;
  let passedBytes = 0;
  let stalled = false;
  try {
    for await (const data of from as AsyncIterable<Buffer>) {
      if (passedBytes + data.length > DOCUMENT_BYTES) fault ??= choose();
      const { cutAfterBytes = Number.POSITIVE_INFINITY, corruptAt = -1, stallAt, bytesPerSecond } = fault ?? {};
      const part = Buffer.from(data.subarray(0, cutAfterBytes - passedBytes));
      const place = corruptAt - passedBytes;
      if (place >= 0 && place < part.length) part[place] = (part[place] ?? 0) ^ 1;
      passedBytes += part.length;
      if (stallAt !== undefined && !stalled && passedBytes > stallAt.byte) {
        stalled = true;
        await new Promise((resolve) => setTimeout(resolve, stallAt.forMs));
      }
      if (bytesPerSecond !== undefined) await new Promise((resolve) => setTimeout(resolve, (part.length / bytesPerSecond) * 1000));
      if (to.destroyed) return;
      await new Promise<void>((resolve) => {
        to.once('close', resolve);
        to.write(part, () => {
          to.off('close', resolve);
          resolve();
        });
      });
      if (passedBytes >= cutAfterBytes) return void to.destroy();
    }
    to.end();
  } catch {
    to.destroy();
  }
}
