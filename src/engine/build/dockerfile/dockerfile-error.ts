import { EngineError } from '../../error.ts';

/** What is wrong with a Dockerfile, and in which line of it. */
export function dockerfileError(line: number, what: string, hint?: string): EngineError {
  return new EngineError('invalid', 'DOCKERFILE_INVALID', `dockerfile parse error on line ${line}: ${what}`, hint === undefined ? {} : { hint });
}
