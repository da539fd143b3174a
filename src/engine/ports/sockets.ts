import type { Connection } from './streams.ts';

export type ListenAddress =
  | { kind: 'unix'; path: string; mode: number; groupId: number | undefined }
  | { kind: 'tcp'; address: string; port: number }
  | { kind: 'fd'; fd: number };

export interface Listener {
  close(): void;
}

export interface Sockets {
  listen(address: ListenAddress, onConnection: (connection: Connection) => void): Listener;
  connectUnix(path: string): Promise<Connection>;
  /** SOCK_SEQPACKET, as conmon's attach socket. */
  connectRecords(path: string): Promise<Connection>;
  /** Holds a TCP address so that nobody else takes it; throws EADDRINUSE. */
  reserve(address: string, port: number): { close(): void };
}
