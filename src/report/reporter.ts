import type { BuildEvent } from '../model/index.ts';

/** Where text goes: results to stdout, everything about progress to stderr. */
export interface Streams {
  stdout(text: string): void;
  stderr(text: string): void;
}

export interface Reporter {
  report(event: BuildEvent): void;
  /** Resolves when everything has been drawn. */
  close(): Promise<void>;
}
