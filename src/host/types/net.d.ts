declare module 'host:net' {
  /**
   * A byte stream (or, for kind 'records', a sequence of records) over any descriptor. Nothing is read from the kernel
   * unless a read() is pending, and write() resolves when the kernel has taken the bytes: both directions have back
   * pressure without buffering. Dropping the last reference closes it, but do not count on when.
   */
  export interface Stream {
    /** -1 after close() or release(). Belongs to the stream. */
    readonly fd: number;
    /**
     * The next bytes, as soon as there are any, at most maxBytes (default 65536); null at the end of the stream. One record
     * for 'records' (cut when longer). Only one may be pending ('EBUSY').
     */
    read(maxBytes?: number): Promise<Uint8Array<ArrayBuffer> | null>;
    /**
     * All of it, in order, after the writes before it. Texts are written as UTF-8; an array is gathered (header and body in
     * one call); for 'records' each call is one record. Bytes are not copied: do not change them until it resolves. Rejects with 'EPIPE' or 'ECONNRESET'
     * when the other side is gone.
     */
    write(data: Uint8Array | string | readonly (Uint8Array | string)[]): Promise<void>;
    /** Ends our direction after the writes before it, the other stays open. On a pipe it closes. TLS sends close_notify. */
    shutdown(): Promise<void>;
    /** Closes at once; pending reads and writes reject with 'ECANCELED'. */
    close(): void;
    /** Gives the descriptor to the caller; the stream is closed without it. Pending operations reject. Not for TLS. */
    release(): number;
    /**
     * Resolves (never rejects) when the other side has gone altogether, or the connection broke, also while no read() is pending; and at
     * close(). A TCP peer that closes looks half closed until something is sent to it. The same Promise until it resolves.
     */
    hangup(): Promise<void>;
    /** Other end of a unix socket: its credentials when it connected; of TCP: its address. Null otherwise. */
    peer(): { kind: 'unix'; pid: number; uid: number; gid: number } | { kind: 'tcp'; address: string; port: number } | null;
  }

  /**
   * Where to connect or listen. A unix path may be longer than the 107 bytes of the kernel's structure; '@name' is the abstract
   * namespace. Addresses are numeric (host:dns gives them), '0.0.0.0' and '::' stand for all.
   */
  export type Address = { unix: string } | { address: string; port: number };

  export interface Listener {
    readonly fd: number;
    /** The next connection. One may be pending ('EBUSY'). When descriptors have run out it waits and tries again. */
    accept(): Promise<Stream>;
    /** For { port: 0 }: which one it got; 0 for unix. */
    readonly port: number;
    /** Does not remove a unix socket's file. */
    close(): void;
  }
  export interface ListenOptions {
    /** Permissions and group of a unix socket, in place before anyone can connect. Default 0o666 & ~umask and our group. */
    mode?: number;
    gid?: number;
    backlog?: number;
  }
  /** Throws 'EADDRINUSE' also for a stale unix socket: connect first, and unlink it when that says 'ECONNREFUSED'. */
  export function listen(address: Address, options?: ListenOptions): Listener;
  /** A listening socket that somebody else made (socket activation). Takes ownership. */
  export function listenFd(fd: number): Listener;

  /** `records`: SOCK_SEQPACKET (conmon's attach socket), unix only. */
  export interface ConnectOptions {
    records?: boolean;
    /** Default 30000; rejects with 'ETIMEDOUT'. */
    timeoutMs?: number;
  }
  export function connect(address: Address, options?: ConnectOptions): Promise<Stream>;
  /** A stream on any descriptor (pipe, terminal, fifo, socket; a file is read to its end). Takes ownership, but leaves 0, 1 and 2 open and their flags as they are. */
  export function fromFd(fd: number): Stream;
  /** A pipe: what is written to one is read from the other; give one of the fds to a child. Caller owns both. */
  export function pipe(): { readFd: number; writeFd: number };

  /** Certificates to trust, parsed once; share it among connections. */
  export interface TrustStore {
    readonly certificateCount: number;
  }
  /**
   * From PEM files and directories of them (missing ones are skipped when `required` is false, the default) and PEM texts.
   * Certificates that cannot be parsed are skipped and not counted.
   */
  export function trustStore(source: { paths?: readonly string[]; pem?: readonly string[]; required?: boolean }): TrustStore;
  export interface TlsOptions {
    /** For SNI and for the check of the certificate: a host name or a numeric address. */
    serverName: string;
    trust: TrustStore;
    /** No check at all. For registries that the user named insecure. */
    insecure?: boolean;
    /** Client certificate chain and its key, PEM texts. */
    certificate?: string;
    key?: string;
    /** Protocols to offer, in order of preference. */
    alpn?: readonly string[];
    /** For the handshake, default 30000. */
    timeoutMs?: number;
  }
  export interface TlsServerOptions {
    server: true;
    /** Certificate chain and its key, PEM texts. */
    certificate: string;
    key: string;
    /** Who has to have signed the client's certificate; without it no client needs one. */
    trust?: TrustStore;
    /** For the handshake, default 30000. */
    timeoutMs?: number;
  }
  export interface TlsInfo {
    version: string;
    cipher: string;
    alpn: string | null;
  }
  /**
   * Makes TLS (1.2 or 1.3) of a connected stream, in place: as client, also behind a proxy's CONNECT, or as server. Rejects with 'TLS_VERIFY' (the message
   * says why: expired, other host, not trusted …) or 'TLS_PROTOCOL' and closes the stream. A connection that ends
   * without close_notify rejects the read with 'TRUNCATED' in place of null.
   */
  export function startTls(stream: Stream, options: TlsOptions | TlsServerOptions): Promise<TlsInfo>;

  /** A UDP socket. */
  export interface Datagram {
    readonly port: number;
    /** The next one, cut at 64 KiB, with its sender. One may be pending ('EBUSY'). */
    receive(): Promise<{ data: Uint8Array<ArrayBuffer>; address: string; port: number }>;
    /** Never waits: throws 'EAGAIN' when the kernel has no room. */
    send(data: Uint8Array, to: Address): void;
    close(): void;
  }
  /** Bound to a numeric address; port 0 for any. It stays in the network namespace that it was made in (see inNetns). */
  export function datagram(address: Address): Datagram;

  /** A network namespace, by path (/proc/<pid>/ns/net, /run/netns/x). */
  export interface NetlinkOptions {
    netns?: string;
    /** Bit mask of legacy multicast groups, for events. */
    groups?: number;
  }
  export interface Netlink {
    /**
     * Sends one or several netlink messages (native byte order, one after the other) and collects the answers until each
     * message that has NLM_F_ACK or NLM_F_DUMP set is answered: set one of the two on the last at least. Messages come without acks
     * and without NLMSG_DONE, each one whole with its header. Throws HostError with the kernel's errno and extended message for the first that was refused
     * (`path` is its sequence number); 'ETIMEDOUT' after 10 s. Interrupted dumps are retried.
     */
    request(messages: Uint8Array): Uint8Array<ArrayBuffer>[];
    /** The next datagram of the multicast groups. */
    receive(): Promise<Uint8Array<ArrayBuffer>>;
    close(): void;
  }
  /** protocol: 0 route, 12 netfilter, 16 generic. With `netns` the socket lives in that namespace; the process stays where it is. */
  export function netlink(protocol: number, options?: NetlinkOptions): Netlink;
  /** Runs a function with the calling thread in another network namespace, for what has no socket to pass (sysctl files). It must not await. */
  export function inNetns<T>(netns: string, action: () => T): T;
}
