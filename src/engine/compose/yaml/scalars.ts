import type { Cursor } from './cursor.ts';

const ESCAPES: Readonly<Record<string, string>> = {
  '0': '\0', a: '\x07', b: '\b', t: '\t', '\t': '\t', n: '\n', v: '\v', f: '\f', r: '\r', e: '\x1b', ' ': ' ', '"': '"', '/': '/', '\\': '\\', N: '\x85', _: '\xa0', L: '\u2028', P: '\u2029',
};
const HEX_DIGITS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

/** What an unquoted scalar means in YAML 1.2's core schema. */
export function meaning(text: string): string | number | boolean | null {
  if (/^(?:~|null|Null|NULL)?$/.test(text)) return null;
  if (/^(?:true|True|TRUE)$/.test(text)) return true;
  if (/^(?:false|False|FALSE)$/.test(text)) return false;
  if (/^(?:[-+]?\d+|0o[0-7]+|0x[\da-fA-F]+)$/.test(text) || /^[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/.test(text)) return Number(text);
  if (/^[-+]?\.(?:inf|Inf|INF)$/.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  return /^\.(?:nan|NaN|NAN)$/.test(text) ? NaN : text;
}

/** Where an unquoted scalar's part on this line ends, blanks after it left out. */
export function plainEnd({ text }: Cursor, from: number, inFlow: boolean): number {
  let at = from;
  for (; at < text.length && text.charAt(at) !== '\n'; at += 1) {
    const char = text.charAt(at);
    const next = text.charAt(at + 1);
    if (char === ':' && (/^[ \t\n]?$/.test(next) || (inFlow && /[,[\]{}]/.test(next)))) break;
    if (char === '#' && at > from && /[ \t]/.test(text.charAt(at - 1))) break;
    if (inFlow && /[,[\]{}]/.test(char)) break;
  }
  while (at > from && /[ \t]/.test(text.charAt(at - 1))) at -= 1;
  return at;
}

const joint = (lineEnds: number): string => (lineEnds === 1 ? ' ' : '\n'.repeat(lineEnds - 1));

/** An unquoted scalar, of several lines where they go on further in than `indent`. */
export function readPlain(cursor: Cursor, indent: number, inFlow: boolean): string {
  const { text } = cursor;
  if (/[,[\]{}#&*!|>'"%@`]/.test(cursor.char) || (/[-?:]/.test(cursor.char) && (inFlow ? /^[ \t\n,[\]{}]?$/ : /^[ \t\n]?$/).test(text.charAt(cursor.at + 1)))) cursor.fail(`an unquoted value cannot begin with ${cursor.char}: put it between quotes`);
  let end = plainEnd(cursor, cursor.at, inFlow);
  let value = text.slice(cursor.at, end);
  for (;;) {
    cursor.at = end;
    const gap = /^[ \t]*\n[ \t\n]*/.exec(text.slice(end))?.[0];
    if (gap === undefined) return value;
    const start = end + gap.length;
    const column = gap.length - gap.lastIndexOf('\n') - 1;
    if (start >= text.length || text.charAt(start) === '#' || (!inFlow && column <= indent) || cursor.atDocumentMark(start)) return value;
    end = plainEnd(cursor, start, inFlow);
    if (end === start) return value;
    if (gap.slice(gap.lastIndexOf('\n')).includes('\t')) cursor.fail('a tab in the indentation: use blanks', start);
    value += joint(gap.split('\n').length - 1) + text.slice(start, end);
  }
}

/** Goes past a line's end within quotes and what indents the next line; the text that it stands for. */
function foldQuoted(cursor: Cursor, indent: number): string {
  let lineEnds = 0;
  for (; cursor.char === '\n'; cursor.skipBlanks()) {
    cursor.at += 1;
    lineEnds += 1;
    if (cursor.atDocumentMark()) cursor.fail('a document ends within quotes');
  }
  if (!cursor.ended && cursor.column <= indent) cursor.fail('a line within quotes has to be further in');
  return joint(lineEnds);
}

/** A scalar between quotes. */
export function readQuoted(cursor: Cursor, indent: number): string {
  const quote = cursor.char;
  const start = cursor.at;
  let value = '';
  for (cursor.at += 1; ; ) {
    if (cursor.ended) cursor.fail(`${quote} is not closed`, start);
    const { char } = cursor;
    cursor.at += 1;
    if (char === quote) {
      if (quote === '"' || cursor.char !== "'") return value;
      cursor.at += 1;
      value += "'";
    } else if (char === '\n') {
      cursor.at -= 1;
      value = value.replace(/[ \t]+$/, '') + foldQuoted(cursor, indent);
    } else if (char === '\\' && quote === '"') value += readEscape(cursor, indent);
    else if ((char === ' ' || char === '\t') && /^[ \t]*\n/.test(cursor.text.slice(cursor.at, cursor.text.indexOf('\n', cursor.at) + 1))) cursor.skipBlanks();
    else value += char;
  }
}

function readEscape(cursor: Cursor, indent: number): string {
  const { char } = cursor;
  cursor.at += 1;
  if (char === '\n') {
    cursor.at -= 1;
    return foldQuoted(cursor, indent).replace(' ', '');
  }
  const count = HEX_DIGITS[char];
  if (count === undefined) return ESCAPES[char] ?? cursor.fail(`\\${char} is no escape`, cursor.at - 1);
  const digits = cursor.text.slice(cursor.at, cursor.at + count);
  const code = /^[\da-fA-F]+$/.test(digits) && digits.length === count ? Number.parseInt(digits, 16) : Infinity;
  if (code > 0x10ffff) cursor.fail(`\\${char}${digits} is no character`, cursor.at - 2);
  cursor.at += count;
  return String.fromCodePoint(code);
}

/** A scalar that begins with | or >. */
export function readBlock(cursor: Cursor, indent: number): string {
  const { text } = cursor;
  const header = /^([|>])(?:([-+])([1-9])?|([1-9])([-+])?)?[ \t]*(?:(?<=[ \t])#.*)?(?:\n|$)/.exec(text.slice(cursor.at));
  if (header === null) cursor.fail(`${cursor.char} begins a text of several lines: only - or + and a digit may follow`);
  const [whole, style, chompFirst, digitLast, digitFirst, chompLast] = header;
  const chomp = chompFirst ?? chompLast;
  const digit = digitFirst ?? digitLast;
  cursor.at += whole.length;
  let width = digit === undefined ? undefined : Math.max(indent, 0) + Number(digit);
  let widest = 0;
  const lines: string[] = [];
  while (!cursor.ended && !cursor.atDocumentMark()) {
    const end = text.indexOf('\n', cursor.at);
    const line = text.slice(cursor.at, end === -1 ? text.length : end);
    const blanks = line.length - line.replace(/^ +/, '').length;
    if (blanks < line.length) {
      if (width === undefined) {
        if (blanks <= indent) break;
        if (widest > blanks) cursor.fail('a blank line before it is further in than the first line');
        width = blanks;
      }
      if (blanks < width) break;
    } else widest = Math.max(widest, blanks);
    lines.push(width === undefined ? '' : line.slice(width));
    cursor.at = end === -1 ? text.length : end + 1;
  }
  let trailing = 0;
  while (lines.at(-1) === '') {
    lines.pop();
    trailing += 1;
  }
  const body = style === '|' ? lines.join('\n') : fold(lines);
  if (chomp === '-' || (body === '' && lines.length === 0 && chomp !== '+')) return body;
  return body + '\n'.repeat(chomp === '+' ? trailing + (lines.length > 0 ? 1 : 0) : 1);
}

/** Lines become one, but for those that are further in and blank ones. */
function fold(lines: readonly string[]): string {
  let out = '';
  let blank = 0;
  let before: boolean | undefined;
  for (const line of lines) {
    if (line === '') {
      blank += 1;
      continue;
    }
    const inside = /^[ \t]/.test(line);
    if (before === undefined) out += '\n'.repeat(blank);
    else if (before || inside) out += '\n'.repeat(blank + 1);
    else out += joint(blank + 1);
    out += line;
    blank = 0;
    before = inside;
  }
  return out;
}
