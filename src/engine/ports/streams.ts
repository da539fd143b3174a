import { concat, text } from 'host:bytes';

/** What a write takes: bytes, text (as UTF-8), or several of both in one go. */
export type Chunk = Uint8Array | string | readonly (Uint8Array | string)[];

/** A source of bytes that is pulled, so that a slow consumer holds the producer back. */
export interface ByteSource {
  /** The next bytes (never empty), or null at the end. At most one call may be outstanding. Nobody changes the bytes afterwards: they may still be being hashed. */
  read(): Promise<Uint8Array | null>;
}

/** A sink that answers when it can take more. The bytes must not change until then. */
export interface ByteSink {
  write(data: Chunk): Promise<void>;
}

/** Both directions of a socket or pipe. On SOCK_SEQPACKET one read or write is one packet. */
export interface Connection extends ByteSource, ByteSink {
  /** No more will be written; the peer sees the end, reading goes on. */
  shutdown(): Promise<void>;
  close(): void;
}

/** All that comes, as text; for what is short. */
export async function readToEnd(source: ByteSource | null | undefined): Promise<string> {
  const parts: Uint8Array[] = [];
  for (let part = await source?.read(); part !== null && part !== undefined; part = await source?.read()) parts.push(part);
  return text(concat(parts));
}
