import { encode, find, text } from 'host:bytes';
import { frameHeader, STDERR, STDOUT, type StreamKind } from './multiplex.ts';

/**
 * One line of conmon's log: '<RFC 3339 time> stdout F <text>\n'. 'F' ends a line of the container, 'P' is a part of one
 * that goes on.
 */
export interface LogLine {
  stream: StreamKind;
  /** Where the text starts and ends in the buffer; with its line end when the line is complete. */
  from: number;
  to: number;
  complete: boolean;
  /** Where the time stands. */
  timeFrom: number;
  timeTo: number;
}

export interface LogFilter {
  stdout: boolean;
  stderr: boolean;
  timestamps: boolean;
  /** As Docker's time stamps, to compare as text; '' for no bound. */
  since: string;
  until: string;
  /** The container has a terminal: no frames. */
  raw: boolean;
}

const SPACE = 32;
const NEWLINE = 10;
const LETTER_F = 70;
/** 'e' in 'stderr', where 'stdout' has an 'o'. */
const LETTER_E = 101;

/** Calls back for every whole line; returns how many bytes they took. Lines that are not conmon's are left out. */
export function eachLogLine(buffer: Uint8Array, visit: (line: LogLine) => void): number {
  let at = 0;
  for (let end = find(buffer, NEWLINE); end >= 0; end = find(buffer, NEWLINE, at)) {
    const timeTo = find(buffer, SPACE, at);
    const from = timeTo + 10;
    if (timeTo > at && from <= end && buffer[timeTo + 7] === SPACE && buffer[timeTo + 9] === SPACE) {
      const complete = buffer[timeTo + 8] === LETTER_F;
      visit({ stream: buffer[timeTo + 4] === LETTER_E ? STDERR : STDOUT, from, to: complete ? end + 1 : end, complete, timeFrom: at, timeTo });
    }
    at = end + 1;
  }
  return at;
}

/** Whether the record that starts there ends a line of the container. */
export function endsLine(buffer: Uint8Array, from: number): boolean {
  const timeTo = find(buffer, SPACE, from);
  return timeTo >= 0 && buffer[timeTo + 8] === LETTER_F;
}

/** What a client gets for a stretch of the log: pieces to write one after the other. `done`: a line lies beyond `until`. */
export function renderLog(buffer: Uint8Array, filter: LogFilter): { pieces: Uint8Array[]; usedBytes: number; done: boolean } {
  const pieces: Uint8Array[] = [];
  let done = false;
  const timed = filter.timestamps || filter.since !== '' || filter.until !== '';
  const usedBytes = eachLogLine(buffer, (line) => {
    if (done || !(line.stream === STDOUT ? filter.stdout : filter.stderr)) return;
    const stamp = timed ? dockerTime(text(buffer, line.timeFrom, line.timeTo)) : '';
    if (filter.since !== '' && stamp < filter.since) return;
    if (filter.until !== '' && stamp > filter.until) {
      done = true;
      return;
    }
    const content = buffer.subarray(line.from, line.to);
    const prefix = filter.timestamps ? encode(`${stamp} `) : undefined;
    if (!filter.raw) pieces.push(frameHeader(line.stream, content.length + (prefix?.length ?? 0)));
    if (prefix !== undefined) pieces.push(prefix);
    pieces.push(content);
  });
  return { pieces, usedBytes, done };
}

/** conmon writes the local offset, Docker has 'Z'. Other offsets are brought to UTC with all nine digits. */
export function dockerTime(stamp: string): string {
  if (stamp.endsWith('+00:00') || stamp.endsWith('-00:00')) return `${stamp.slice(0, -6)}Z`;
  const match = /^(.{19})\.(\d{1,9})([+-]\d\d:\d\d)$/.exec(stamp);
  if (match === null) return stamp;
  const time = new Date(`${match[1]}${match[3]}`);
  if (Number.isNaN(time.getTime())) return stamp;
  const seconds = time.toISOString().slice(0, 19);
  return `${seconds}.${(match[2] ?? '').padEnd(9, '0')}Z`;
}

/** A bound in Docker's forms (seconds with fraction, RFC 3339) as a time stamp that compares as text; '' for none. */
export function logBound(value: string | undefined): string | undefined {
  if (value === undefined || value === '' || value === '0') return '';
  const seconds = /^(\d{1,12})(?:\.(\d{1,9}))?$/.exec(value);
  if (seconds !== null) {
    const whole = new Date(Number(seconds[1]) * 1000).toISOString().slice(0, 19);
    return `${whole}.${(seconds[2] ?? '').padEnd(9, '0')}Z`;
  }
  const parsed = Date.parse(value);
  return Number.isNaN(parsed) ? undefined : `${new Date(parsed).toISOString().slice(0, -1)}000000Z`;
}
