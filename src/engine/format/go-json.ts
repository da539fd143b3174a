/** An object may carry its own JSON text under this key. */
export const jsonText: unique symbol = Symbol('JSON text');

/** Go's default: "<", ">" and "&" as escapes, which the `json` template function leaves alone. */
export function escapeHtml(json: string): string {
  return json.replaceAll('<', '\\u003c').replaceAll('>', '\\u003e').replaceAll('&', '\\u0026');
}

/**
 * JSON as Go's encoder writes it: no spaces, "<", ">" and "&" left alone as the `json` template function does,
 * U+2028/U+2029 escaped. `sortKeys` gives Go's order for maps; without it the order is the value's own.
 */
export function goJson(value: unknown, sortKeys = false): string {
  const own = typeof value === 'object' && value !== null && jsonText in value ? value[jsonText] : undefined;
  if (typeof own === 'string') return own;
  const text = JSON.stringify(value, sortKeys ? sorted : undefined);
  if (text === undefined) return 'null';
  return text.replace(/[\u2028\u2029]/g, (character) => (character === '\u2028' ? '\\u2028' : '\\u2029'));
}

function sorted(_key: string, value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

const token = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

/** Lays JSON text out over lines without reading its numbers, so that 64-bit ones keep every digit. */
export function indentJson(text: string, indent = '    '): string {
  let depth = 0;
  let previous = '';
  let out = '';
  const newline = () => `\n${indent.repeat(depth)}`;
  for (const [word] of text.matchAll(token)) {
    const opened = previous === '{' || previous === '[';
    if (word === '}' || word === ']') {
      depth--;
      out += opened ? word : newline() + word;
    } else {
      if (opened) out += newline();
      if (word === '{' || word === '[') depth++;
      out += word;
      if (word === ',') out += newline();
      if (word === ':') out += ' ';
    }
    previous = word;
  }
  return out;
}
