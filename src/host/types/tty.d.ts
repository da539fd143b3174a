declare module 'host:tty' {
  export function isTty(fd: number): boolean;
  /**
   * 'raw': every key as it comes, no echo, no signals; 'no-echo': lines, unseen (passwords); 'normal': as it was when first changed.
   * The first mode comes back at exit, at an uncaught error and at a fatal signal.
   */
  export function setMode(fd: number, mode: 'raw' | 'no-echo' | 'normal'): void;
  /** Null when it is not a terminal or its size is unknown. Changes arrive as the signal 'WINCH'. */
  export function windowSize(fd: number): { columns: number; rows: number } | null;
}
