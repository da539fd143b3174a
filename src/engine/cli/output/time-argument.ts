import { parseGoDuration } from '../../format/index.ts';
import { CliError } from '../cli-error.ts';

/**
 * What --since and --until take, as the API wants it (seconds[.nanoseconds]): a Unix time, a date with or without time
 * and zone, or a duration back from now.
 */
export function apiTime(text: string, nowMs: number): string | undefined {
  if (text === '') return undefined;
  const duration = parseGoDuration(text);
  if (duration !== null && text !== '0') return fixed(nowMs * 1e6 - duration);
  if (/^\d+(\.\d{1,9})?$/.test(text)) return text;
  const match = /^(\d{4}-\d{2}-\d{2})(?:T(\d{2}(?::\d{2}(?::\d{2})?)?)(?:\.(\d{1,9}))?)?(Z|[+-]\d{2}:\d{2})?$/.exec(text);
  if (!match) throw new CliError(`failed to parse value as time or duration: "${text}"`);
  const [, day, time = '00', fraction = '', place = ''] = match;
  const clock = `${time}${':00'.repeat(3 - time.split(':').length)}`;
  const timeMs = Date.parse(`${day}T${clock}${place}`);
  if (Number.isNaN(timeMs)) throw new CliError(`failed to parse value as time or duration: "${text}"`);
  return `${Math.floor(timeMs / 1000)}.${fraction.padEnd(9, '0')}`;
}

function fixed(nanoseconds: number): string {
  const seconds = Math.floor(nanoseconds / 1e9);
  return `${seconds}.${String(Math.trunc(nanoseconds - seconds * 1e9)).padStart(9, '0')}`;
}
