/**
 * What every host module throws or rejects with.
 *
 * Three rules hold for all `host:*` modules:
 * - A function that returns a Promise never blocks the loop; any other one is a direct system call that returns at once
 *   (or, for files, as soon as the kernel has the answer). Wrong argument types throw TypeError, a bug of the caller.
 * - A file descriptor is a plain number that belongs to whoever opened it, until it is handed to something that says
 *   "takes ownership". All are close-on-exec. Objects with `close()` own what is below them; close() may be called twice.
 * - close() is how anything is cancelled: what was still pending on the object rejects with code 'ECANCELED'.
 *
 * Paths are strings. Bytes of a file name that are not UTF-8 appear as lone surrogates U+DC80…U+DCFF and become the same
 * bytes again when the string is handed back (paths, argv, environment, link targets); a NUL inside is code 'EINVAL'.
 */
declare module 'host:error' {
  /** A failed operation of the system, as opposed to a bug. */
  export class HostError extends Error {
    private constructor();
    readonly name: 'HostError';
    /**
     * Name of the errno ('ENOENT', 'EACCES', 'ETIMEDOUT', 'ECANCELED' …), or one of ours:
     * 'CORRUPT' and 'TRUNCATED' (compressed data), 'TLS_VERIFY' (certificate refused), 'TLS_PROTOCOL' (any other TLS failure),
     * 'DNS_NOT_FOUND' (the name or record does not exist), 'DNS_FAILED' (no server answered, refused, malformed answer).
     */
    readonly code: string;
    /** Positive errno, or 0 for a code of ours. */
    readonly errno: number;
    /** What failed: 'open', 'connect', 'netlink', 'spawn' … */
    readonly syscall: string;
    /** The path (or address, or host name) it failed on. */
    readonly path?: string;
    /** The second path of rename, link, symlink, copyFile. */
    readonly target?: string;
  }
}
