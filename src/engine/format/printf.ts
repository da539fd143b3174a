import { isMap, printNumber, printValue, sortedKeys, typeName } from './template-values.ts';

const escapes: Readonly<Record<string, string>> = {
  '\x07': '\\a', '\b': '\\b', '\f': '\\f', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\v': '\\v', '\\': '\\\\', '"': '\\"',
};

/** A text in double quotes, escaped as Go's strconv.Quote does. */
export function goQuote(text: string): string {
  const body = text.replace(/[\p{C}\p{Zl}\p{Zp}"\\]|(?! )\p{Zs}/gu, (character) => {
    const simple = escapes[character];
    if (simple !== undefined) return simple;
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x20 || code === 0x7f) return `\\x${code.toString(16).padStart(2, '0')}`;
    return code > 0xffff ? `\\U${code.toString(16).padStart(8, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
  return `"${body}"`;
}

const directive = /%([-+# 0]*)(\*|\d+)?(?:\.(\*|\d+)?)?(.)?/gsu;

interface Directive {
  readonly flags: string;
  readonly width: number;
  readonly precision: number | null;
}

/** Go's fmt.Sprintf for the kinds of values that templates meet. */
export function sprintf(format: string, args: readonly unknown[]): string {
  let used = 0;
  const take = (): unknown => args[used++];
  const text = format.replace(directive, (whole, flags: string, width?: string, precision?: string, verb?: string) => {
    const star = (value: string | undefined) => (value === '*' ? Number(take()) : value === undefined ? null : Number(value));
    const hasPrecision = whole.includes('.') && verb !== '.';
    const widthNumber = star(width) ?? 0;
    const spec: Directive = {
      flags: widthNumber < 0 ? `${flags}-` : flags,
      width: Math.abs(widthNumber),
      precision: hasPrecision ? star(precision) ?? 0 : null,
    };
    if (verb === '%') return '%';
    if (verb === undefined) return '%!(NOVERB)';
    if (used >= args.length) return `%!${verb}(MISSING)`;
    return pad(formatVerb(verb, take(), spec), spec);
  });
  if (used >= args.length) return text;
  const extra = args.slice(used).map((value) => (value === null || value === undefined ? '<nil>' : `${typeName(value)}=${printValue(value)}`));
  return `${text}%!(EXTRA ${extra.join(', ')})`;
}

function pad(text: string, spec: Directive): string {
  const missing = spec.width - [...text].length;
  if (missing <= 0) return text;
  if (spec.flags.includes('-')) return text + ' '.repeat(missing);
  if (!spec.flags.includes('0')) return ' '.repeat(missing) + text;
  const sign = /^[+-]/.exec(text)?.[0] ?? '';
  return sign + '0'.repeat(missing) + text.slice(sign.length);
}

function wrong(verb: string, value: unknown): string {
  if (value === null || value === undefined) return `%!${verb}(<nil>)`;
  return `%!${verb}(${typeName(value)}=${printValue(value)})`;
}

function formatVerb(verb: string, value: unknown, spec: Directive): string {
  if (verb === 'v') return value === null || value === undefined ? '<nil>' : printValue(value);
  if (verb === 'T') return typeName(value);
  if (Array.isArray(value)) return `[${value.map((item) => formatVerb(verb, item, spec)).join(' ')}]`;
  if (isMap(value)) return `map[${sortedKeys(value).map((key) => `${formatVerb(verb, key, spec)}:${formatVerb(verb, value[key], spec)}`).join(' ')}]`;
  if (typeof value === 'string') return formatString(verb, value, spec);
  if (typeof value === 'number') return formatNumber(verb, value, spec);
  if (typeof value === 'boolean' && verb === 't') return String(value);
  return wrong(verb, value);
}

function formatString(verb: string, value: string, spec: Directive): string {
  const cut = spec.precision === null ? value : [...value].slice(0, spec.precision).join('');
  switch (verb) {
    case 's': return cut;
    case 'q': return goQuote(cut);
    case 'x': case 'X': {
      const hex = utf8Bytes(cut).map((byte) => byte.toString(16).padStart(2, '0')).join('');
      return verb === 'X' ? hex.toUpperCase() : hex;
    }
    default: return wrong(verb, value);
  }
}

function utf8Bytes(text: string): number[] {
  const escaped = encodeURIComponent(text);
  return Array.from(escaped.matchAll(/%([\dA-F]{2})|[^%]/g), ([character, hex]) =>
    hex === undefined ? character.charCodeAt(0) : Number.parseInt(hex, 16));
}

function formatNumber(verb: string, value: number, spec: Directive): string {
  const sign = value >= 0 ? (spec.flags.includes('+') ? '+' : spec.flags.includes(' ') ? ' ' : '') : '-';
  const magnitude = Math.abs(value);
  const integer = Number.isInteger(value);
  switch (verb) {
    case 'd': return integer ? sign + printNumber(magnitude) : wrong(verb, value);
    case 'x': case 'X': case 'o': case 'b': {
      if (!integer) return wrong(verb, value);
      const digits = magnitude.toString(verb === 'o' ? 8 : verb === 'b' ? 2 : 16);
      const prefix = spec.flags.includes('#') ? { x: '0x', X: '0X', o: '0', b: '0b' }[verb] : '';
      return sign + prefix + (verb === 'X' ? digits.toUpperCase() : digits);
    }
    case 'c': return integer ? String.fromCodePoint(value) : wrong(verb, value);
    case 'q': return integer ? `'${String.fromCodePoint(value)}'` : wrong(verb, value);
    case 'f': case 'F': return sign + magnitude.toFixed(spec.precision ?? 6);
    case 'e': case 'E': {
      const text = magnitude.toExponential(spec.precision ?? 6).replace(/e([+-])(\d)$/, 'e$10$2');
      return sign + (verb === 'E' ? text.toUpperCase() : text);
    }
    case 'g': case 'G': return sign + (spec.precision === null ? printNumber(magnitude) : printNumber(Number(magnitude.toPrecision(Math.max(1, spec.precision)))));
    default: return wrong(verb, value);
  }
}
