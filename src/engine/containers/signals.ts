import { EngineError } from '../error.ts';

/** Numbers as on every architecture that we build for. */
const NUMBERS: Record<string, number> = {
  HUP: 1, INT: 2, QUIT: 3, ILL: 4, TRAP: 5, ABRT: 6, IOT: 6, BUS: 7, FPE: 8, KILL: 9, USR1: 10, SEGV: 11, USR2: 12, PIPE: 13, ALRM: 14, TERM: 15,
  STKFLT: 16, CHLD: 17, CLD: 17, CONT: 18, STOP: 19, TSTP: 20, TTIN: 21, TTOU: 22, URG: 23, XCPU: 24, XFSZ: 25, VTALRM: 26, PROF: 27, WINCH: 28,
  IO: 29, POLL: 29, PWR: 30, SYS: 31, UNUSED: 31, RTMIN: 34, RTMAX: 64,
};

export const SIGKILL = 9;
export const SIGTERM = 15;

/** 'SIGTERM', 'term', '15', 'RTMIN+3'. Throws 'invalid'. */
export function parseSignal(text: string): number {
  if (/^\d{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= 64) return Number(text);
  const name = text.toUpperCase().replace(/^SIG/, '');
  const offset = /^(RTMIN|RTMAX)([+-]\d{1,2})$/.exec(name);
  const number = offset?.[1] === undefined ? NUMBERS[name] : (NUMBERS[offset[1]] ?? 0) + Number(offset[2]);
  if (number === undefined || number < 1 || number > 64) throw new EngineError('invalid', 'SIGNAL_UNKNOWN', `invalid signal: ${text}`);
  return number;
}
