import { TemplateError } from './template-error.ts';

export type Token =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'open' | 'close' | 'end-of-input'; readonly text: string }
  | { readonly kind: 'word' | 'field' | 'variable' | 'number' | 'string' | 'character' | 'symbol'; readonly text: string; readonly spaced: boolean; readonly position: string };

const patterns: ReadonlyArray<readonly ['word' | 'field' | 'variable' | 'number' | 'string' | 'character' | 'symbol', RegExp]> = [
  ['field', /\.[\p{L}_][\p{L}\p{N}_]*/uy],
  ['variable', /\$[\p{L}\p{N}_]*/uy],
  ['number', /[+-]?(?:0[xX][\da-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)/y],
  ['string', /"(?:[^"\\\n]|\\.)*"|`[^`]*`/y],
  ['character', /'(?:[^'\\\n]|\\.)+'/y],
  ['word', /[\p{L}_][\p{L}\p{N}_]*/uy],
  ['symbol', /:=|[=|(),.]/y],
];

function fail(source: string, position: number, message: string): never {
  throw new TemplateError(`template: :${source.slice(0, position).split('\n').length}: ${message}`);
}

/** Splits a template into text and the tokens of its actions; `{{-` and `-}}` trim the text beside them. */
export function lexTemplate(source: string): Token[] {
  const tokens: Token[] = [];
  let position = 0;
  let trimNext = false;
  while (position < source.length) {
    const start = source.indexOf('{{', position);
    let text = source.slice(position, start < 0 ? source.length : start);
    if (trimNext) text = text.trimStart();
    trimNext = false;
    if (start < 0) {
      if (text !== '') tokens.push({ kind: 'text', text });
      break;
    }
    position = start + 2;
    if (/^-\s/.test(source.slice(position, position + 2))) {
      text = text.trimEnd();
      position += 2;
    }
    if (text !== '') tokens.push({ kind: 'text', text });
    if (/^\s*\/\*/.test(source.slice(position, position + 40))) {
      const end = source.indexOf('*/', position);
      if (end < 0) fail(source, start, 'unclosed comment');
      const close = /\s*(\s-)?\}\}/y;
      close.lastIndex = end + 2;
      const closed = close.exec(source);
      if (!closed) fail(source, end, 'comment ends before closing delimiter');
      trimNext = closed[0].includes('-}}');
      position = close.lastIndex;
      continue;
    }
    [position, trimNext] = lexAction(source, start, position, tokens);
  }
  tokens.push({ kind: 'end-of-input', text: '' });
  return tokens;
}

/** Line (from 1) and column (from 0), as Go names places. */
function placeOf(source: string, position: number): string {
  const lines = source.slice(0, position).split('\n');
  return `${lines.length}:${lines.at(-1)?.length ?? 0}`;
}

function lexAction(source: string, start: number, from: number, tokens: Token[]): [number, boolean] {
  tokens.push({ kind: 'open', text: '{{' });
  let position = from;
  for (;;) {
    const before = position;
    const space = /\s*/y;
    space.lastIndex = position;
    space.exec(source);
    position = space.lastIndex;
    const spaced = position > before;
    if (position >= source.length) fail(source, start, 'unclosed action');
    if (source.startsWith('}}', position)) {
      tokens.push({ kind: 'close', text: '}}' });
      return [position + 2, false];
    }
    if (spaced && source.startsWith('-}}', position)) {
      tokens.push({ kind: 'close', text: '}}' });
      return [position + 3, true];
    }
    position = lexToken(source, position, spaced, tokens);
  }
}

function lexToken(source: string, position: number, spaced: boolean, tokens: Token[]): number {
  for (const [kind, pattern] of patterns) {
    pattern.lastIndex = position;
    const match = pattern.exec(source);
    if (!match || match[0] === '') continue;
    tokens.push({ kind, text: match[0], spaced, position: placeOf(source, position) });
    return pattern.lastIndex;
  }
  const character = source[position] ?? '';
  if (character === '"') fail(source, position, 'unterminated quoted string');
  if (character === '`') fail(source, position, 'unterminated raw quoted string');
  const code = character.codePointAt(0) ?? 0;
  fail(source, position, `unexpected bad character U+${code.toString(16).toUpperCase().padStart(4, '0')} '${character}' in command`);
}
