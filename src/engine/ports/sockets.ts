import type { Fd } from './files.ts';
import type { Connection } from './streams.ts';

export type ListenAddress =
  | { kind: 'unix'; path: string; mode: number; groupId: number | undefined }
  | { kind: 'tcp'; address: string; port: number }
  | { kind: 'fd'; fd: number };

export interface Listener {
  close(): void;
}

/** Certificates to trust, parsed once. */
export interface TrustStore {
  readonly certificateCount: number;
}

export interface TlsRequest {
  trust: TrustStore;
  /** Any certificate will do. */
  insecure: boolean;
  /** Client certificate and its key, PEM. */
  client?: { certificate: string; key: string };
  /** The name that the certificate has to be for. */
  serverName: string;
  /** For the handshake. */
  timeoutMs: number;
}

/** What a server shows to its clients, and asks of them. */
export interface TlsIdentity {
  /** PEM texts. */
  certificate: string;
  key: string;
  /** Who has to have signed a client's certificate; undefined: clients need none. */
  clients: TrustStore | undefined;
  /** For the handshake. */
  timeoutMs: number;
}

export interface DialRequest {
  /** Name or numeric address, without brackets. */
  host: string;
  port: number;
  timeoutMs: number;
}

/** A UDP socket. */
export interface Datagrams {
  readonly port: number;
  receive(): Promise<{ data: Uint8Array; address: string; port: number }>;
  send(data: Uint8Array, address: string, port: number): void;
  close(): void;
}

export interface Sockets {
  /** UDP on an address of ours, or of the network namespace of a process; port 0 for any. */
  datagrams(address: string, port: number, namespaceOfPid?: number): Datagrams;
  /** TCP inside the network namespace of a process. */
  listenInside(pid: number, address: string, port: number, onConnection: (connection: Connection) => void): Listener;
  listen(address: ListenAddress, onConnection: (connection: Connection) => void): Listener;
  /** A pipe or terminal that has been opened; the descriptor is the connection's from now on. */
  adopt(fd: Fd): Connection;
  connectUnix(path: string): Promise<Connection>;
  /** SOCK_SEQPACKET, as conmon's attach socket. */
  connectRecords(path: string): Promise<Connection>;
  /** To another machine: tries each address of the host. Throws what the last one did ('ECONNREFUSED', 'DNS_NOT_FOUND' …). */
  dial(request: DialRequest): Promise<Connection>;
  /** Makes TLS of a connection that `dial` gave; it is closed when that fails ('TLS_VERIFY', 'TLS_PROTOCOL'). */
  secure(connection: Connection, request: TlsRequest): Promise<void>;
  /** The same of a connection that was accepted. */
  secureServer(connection: Connection, identity: TlsIdentity): Promise<void>;
  /** Numeric addresses of a host. */
  resolve(host: string): Promise<string[]>;
  /** From PEM files; missing ones are skipped. */
  trust(files: readonly string[]): TrustStore;
  /** Holds a TCP address so that nobody else takes it; throws EADDRINUSE. */
  reserve(address: string, port: number): { close(): void };
}
