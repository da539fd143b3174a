/** What a client may ask of the parser before it is turned away. */
export interface HttpLimits {
  /** Request line and headers together. */
  headBytes: number;
  /** From the first byte of a request to the end of its headers. */
  headTimeoutMs: number;
  /** Between requests on a connection that is kept. */
  idleTimeoutMs: number;
  /** For the client to finish sending what is not wanted any more, after the answer. */
  lingerMs: number;
  /** JSON bodies that are held in memory. */
  jsonBytes: number;
}

export const DEFAULT_LIMITS: HttpLimits = {
  headBytes: 64 * 1024,
  headTimeoutMs: 30_000,
  idleTimeoutMs: 300_000,
  lingerMs: 30_000,
  jsonBytes: 4 * 1024 * 1024,
};
