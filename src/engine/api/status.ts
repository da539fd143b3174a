import { EngineError, messageOf, systemErrorCode, type ErrorKind } from '../error.ts';
import { HttpError } from '../http/index.ts';

const STATUS: Record<ErrorKind, number> = {
  invalid: 400,
  unauthorized: 401,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  'not-modified': 304,
  'not-implemented': 501,
  unavailable: 503,
  internal: 500,
};

export interface ErrorAnswer {
  status: number;
  message: string;
  /** A fault of ours, to be reported in the daemon's log too. */
  unexpected: boolean;
}

/** What a client is told of an error; the hint goes with it, since nothing else shows it. */
export function errorAnswer(error: unknown): ErrorAnswer {
  if (error instanceof EngineError) {
    return { status: STATUS[error.kind], message: error.hint === undefined ? error.message : `${error.message} (${error.hint})`, unexpected: false };
  }
  if (error instanceof HttpError) return { status: error.status, message: error.message, unexpected: false };
  const code = systemErrorCode(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') return { status: 500, message: 'no space left on device (remove images or containers that are not needed)', unexpected: true };
  return { status: 500, message: messageOf(error), unexpected: true };
}
