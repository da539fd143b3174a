import { parseGoDuration } from '../../format/index.ts';
import type { FlagKind } from './flag-spec.ts';

const trueWords = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);
const falseWords = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False']);

export function parseBool(text: string): boolean | null {
  return trueWords.has(text) ? true : falseWords.has(text) ? false : null;
}

/** Go's integers: decimal, or with a 0x, 0o, 0b prefix. */
export function parseInteger(text: string): number | null {
  if (!/^[+-]?(\d+|0[xX][\da-fA-F]+|0[oO][0-7]+|0[bB][01]+)$/.test(text)) return null;
  const magnitude = Number(text.replace(/^[+-]/, ''));
  return Number.isSafeInteger(magnitude) ? (text.startsWith('-') ? -magnitude : magnitude) : null;
}

/** Go's int64. */
const LARGEST = 2 ** 63;

const byteUnits: Readonly<Record<string, number>> = { '': 1, b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4, p: 1024 ** 5 };

/** "512m", "1.5g", "64KiB", "100": bytes in powers of 1024; null when it is none. */
export function parseMemoryBytes(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp])?(i?b)?$/i.exec(text);
  if (!match) return null;
  const unit = (match[2] ?? '').toLowerCase();
  if (unit === '' && (match[3] ?? '').length > 1) return null;
  const bytes = Math.trunc(Number(match[1]) * (byteUnits[unit] ?? 1));
  return bytes <= LARGEST ? bytes : null;
}

/** What is wrong with a value of this kind, or null. */
export function checkFlagValue(kind: FlagKind, value: string): string | null {
  switch (kind) {
    case 'bool': return parseBool(value) === null ? `strconv.ParseBool: parsing "${value}": invalid syntax` : null;
    case 'int': return parseInteger(value) === null ? `strconv.ParseInt: parsing "${value}": invalid syntax` : null;
    case 'uint16': {
      const number = parseInteger(value);
      if (number === null || number < 0) return `strconv.ParseUint: parsing "${value}": invalid syntax`;
      return number > 65535 ? `strconv.ParseUint: parsing "${value}": value out of range` : null;
    }
    case 'decimal': {
      if (!/^[+-]?(\d+\.?\d*|\.\d+)(\/\d+)?$/.test(value)) return `failed to parse ${value} as a rational number`;
      return parseNanoCpus(value) === null ? 'value is too precise' : null;
    }
    case 'bytes': return value !== '-1' && parseMemoryBytes(value) === null ? `invalid size: '${value}'` : null;
    case 'duration': return parseGoDuration(value) === null ? `time: invalid duration "${value}"` : null;
    case 'filter': return value.includes('=') || value === '' ? null : 'bad format of filter (expected name=value)';
    case 'map': return value.includes('=') ? null : `${value} must be formatted as key=value`;
    case 'ulimit': return checkUlimit(value);
    default: return null;
  }
}

/** "1.5" → 1500000000; null when there are more than nine decimals. */
export function parseNanoCpus(text: string): number | null {
  const [numerator = '', denominator] = text.split('/');
  const value = Number(numerator) / (denominator === undefined ? 1 : Number(denominator)) * 1e9;
  const rounded = Math.round(value);
  return Number.isFinite(value) && Math.abs(value - rounded) < 1e-6 ? rounded : null;
}

const ulimitNames = new Set([
  'core', 'cpu', 'data', 'fsize', 'locks', 'memlock', 'msgqueue', 'nice', 'nofile', 'nproc', 'rss', 'rtprio', 'rttime', 'sigpending', 'stack',
]);

function checkUlimit(value: string): string | null {
  const [name = '', limits] = value.split('=', 2);
  if (limits === undefined) return `invalid ulimit argument: ${value}`;
  if (!ulimitNames.has(name)) return `invalid ulimit type: ${name}`;
  const parts = limits.split(':');
  if (parts.length > 2) return `too many limit value arguments - ${limits}, can only have up to two, \`soft[:hard]\``;
  const numbers = parts.map(parseInteger);
  const bad = parts.find((_, at) => numbers[at] === null);
  if (bad !== undefined) return `strconv.ParseInt: parsing "${bad}": invalid syntax`;
  const [soft = 0, hard = soft] = numbers;
  if (soft === null || hard === null || hard === -1 || (soft !== -1 && soft <= hard) || (soft === -1 && hard === -1)) return null;
  return `ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`;
}
