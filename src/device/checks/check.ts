import type { Board } from '../board.ts';

/** One named check of a running board. It passes unless it throws; what it returns is shown beside its name. */
export interface BootCheck {
  name: string;
  run(board: Board): Promise<string | void>;
}

/** Throws unless the condition holds: the message says what was found instead. */
export function ensure(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}
