import { createInterface } from 'node:readline/promises';

import { OsbuildError } from '../model/index.ts';
import type { Invocation } from './command.ts';

export interface Asker {
  /** The answer without blanks around it. @throws OSB_CANCELLED */
  ask(question: string): Promise<string>;
  close(): void;
}

/** Asks on the terminal: questions on standard error, so that a command's output stays its own. */
export function openAsker({ signal }: Pick<Invocation, 'signal'>): Asker {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  return {
    ask: async (question) => {
      const answer = await terminal.question(question, { signal }).catch((cause: unknown) => {
        throw new OsbuildError('OSB_CANCELLED', 'cancelled', { cause });
      });
      return answer.trim();
    },
    close: () => terminal.close(),
  };
}

/** One question. @throws OSB_CANCELLED */
export async function askOnce(invocation: Pick<Invocation, 'signal'>, question: string): Promise<string> {
  const asker = openAsker(invocation);
  try {
    return await asker.ask(question);
  } finally {
    asker.close();
  }
}
