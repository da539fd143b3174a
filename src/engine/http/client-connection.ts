/** What the client needs of a byte stream; every connection of src/engine/ports is one. */
export interface ClientConnection {
  /** The next bytes (never empty), or null at the end. */
  read(): Promise<Uint8Array | null>;
  write(data: Uint8Array | string | readonly (Uint8Array | string)[]): Promise<void>;
  /** No more will be written; reading goes on. */
  shutdown(): Promise<void>;
  close(): void;
}

/** UTF-8 both ways, done natively. */
export interface TextCodec {
  decode(bytes: Uint8Array): string;
  encode(text: string): Uint8Array;
}

/** Pulled bytes, null at the end. */
export interface PullSource {
  read(): Promise<Uint8Array | null>;
}
