import type { System } from '../ports/index.ts';
import type { ClientConnection, PullSource, TextCodec } from '../http/client.ts';

export type SignalName = 'HUP' | 'INT' | 'QUIT' | 'TERM' | 'USR1' | 'USR2' | 'WINCH' | 'CONT' | 'TSTP';

export interface InputStream extends PullSource {
  readonly isTty: boolean;
}

export interface OutputStream {
  readonly isTty: boolean;
  /** Resolves when the kernel has taken it all; rejects with code 'EPIPE' when nobody reads any more. */
  write(data: Uint8Array | string): Promise<void>;
}

/** A file written from its beginning; `finish` puts it in place, `abandon` removes what there is. */
export interface FileSink {
  write(data: Uint8Array): Promise<void>;
  finish(): Promise<void>;
  abandon(): void;
}

export type FileKind = 'file' | 'directory' | 'symlink' | 'other';

export interface FileFacts {
  readonly kind: FileKind;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly mtimeSeconds: number;
}

/** Files of the machine that the command runs on; errors carry `code` ('ENOENT' …). */
export interface CliFiles {
  readText(path: string): string;
  writeText(path: string, text: string, mode: number): void;
  /** Null when there is none. Follows links unless told otherwise. */
  stat(path: string, options?: { followLinks: boolean }): FileFacts | null;
  list(path: string): string[];
  readLink(path: string): string;
  openRead(path: string): PullSource & { close(): void };
  openWrite(path: string, mode: number): FileSink;
  makeDirectory(path: string, mode: number): void;
  symlink(content: string, path: string): void;
  unlink(path: string): void;
  chmod(path: string, mode: number): void;
}

export interface TlsMaterial {
  readonly verify: boolean;
  readonly caPath?: string;
  readonly certificatePath?: string;
  readonly keyPath?: string;
}

export type Endpoint =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly tls: TlsMaterial | null };

/** All that the command line needs of the system. The binary implements it on `host:*`, the tests on Node. */
export interface CliPorts {
  readonly stdin: InputStream;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly files: CliFiles;
  readonly codec: TextCodec;
  readonly terminal: {
    /** Every key as it comes, without echo; undone at exit whatever happens. */
    setRaw(on: boolean): void;
    setEcho(on: boolean): void;
    size(): { readonly columns: number; readonly rows: number } | null;
  };
  readonly process: {
    readonly workingDirectory: string;
    readonly architecture: string;
    environment(): Readonly<Record<string, string>>;
    /** One listener a signal; the result gives the default back. */
    onSignal(name: SignalName, listener: () => void): () => void;
    randomHex(countBytes: number): string;
    /** Runs a program with text on its standard input (credential helpers); null when there is no such program. */
    run(argv: readonly string[], input: string): Promise<{ readonly code: number; readonly stdout: string } | null>;
  };
  readonly clock: {
    /** Milliseconds since the epoch. */
    now(): number;
    sleep(delayMs: number): Promise<void>;
  };
  dial(endpoint: Endpoint): Promise<ClientConnection>;
  /** The whole system, for what is done on this machine without the daemon (`os`). */
  system(): System;
}

/** The errno name that a port's error carries. */
export function errorCode(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory', EACCES: 'permission denied', EISDIR: 'is a directory', ENOTDIR: 'not a directory',
  EEXIST: 'file exists', ENOSPC: 'no space left on device', EROFS: 'read-only file system', EPERM: 'operation not permitted',
  ECONNREFUSED: 'connection refused', ETIMEDOUT: 'connection timed out', EPIPE: 'broken pipe', ELOOP: 'too many levels of symbolic links',
};

/** What went wrong, as the system words it. */
export function reasonOf(error: unknown): string {
  const code = errorCode(error);
  if (code !== undefined && reasons[code] !== undefined) return reasons[code];
  return error instanceof Error ? error.message : String(error);
}
