import { goJson } from './go-json.ts';
import { sprintf } from './printf.ts';
import { TemplateError } from './template-error.ts';
import { equalValues, isEmpty, isMap, lessThan, printNumber, printValue } from './template-values.ts';
import { ellipsis, titleCase } from './text.ts';

export type TemplateFunction = (...args: unknown[]) => unknown;

function text(value: unknown): string {
  if (typeof value !== 'string') throw new TemplateError(`expected string; found ${value === null || value === undefined ? 'nil' : printValue(value)}`);
  return value;
}

function integer(value: unknown): number {
  if (typeof value !== 'number' || !Number.isInteger(value)) throw new TemplateError(`expected integer; found ${printValue(value)}`);
  return value;
}

function index(item: unknown, ...keys: unknown[]): unknown {
  let current = item;
  for (const key of keys) {
    if (current === null || current === undefined) throw new TemplateError('index of untyped nil');
    if (Array.isArray(current) || typeof current === 'string') {
      if (typeof key !== 'number') throw new TemplateError(`cannot index slice/array with type ${typeof key}`);
      if (key < 0 || key >= current.length) throw new TemplateError(`index out of range: ${key}`);
      current = typeof current === 'string' ? current.charCodeAt(key) : current[key];
    } else if (isMap(current)) {
      const name = typeof key === 'number' ? String(key) : text(key);
      current = Object.hasOwn(current, name) ? current[name] : '';
    } else {
      throw new TemplateError(`can't index item of type ${typeof current}`);
    }
  }
  return current;
}

function slice(item: unknown, ...bounds: unknown[]): unknown {
  if (typeof item !== 'string' && !Array.isArray(item)) throw new TemplateError(`can't slice item of type ${typeof item}`);
  const [from = 0, to = item.length] = bounds.map(integer);
  if (from < 0 || to > item.length) throw new TemplateError(`index out of range: ${to > item.length ? to : from}`);
  if (from > to) throw new TemplateError(`invalid slice index: ${from} > ${to}`);
  return item.slice(from, to);
}

function length(value: unknown): number {
  if (typeof value === 'string') return encodeURIComponent(value).replace(/%../g, 'x').length;
  if (Array.isArray(value)) return value.length;
  if (isMap(value)) return Object.keys(value).length;
  // JSON does not say whether a null was a list: Go has a length for nil lists and maps.
  if (value === null || value === undefined) return 0;
  throw new TemplateError(`len of type ${typeof value}`);
}

/** Go's fmt.Sprint: a space between operands when neither is a string. */
function print(...args: unknown[]): string {
  let out = '';
  args.forEach((value, at) => {
    if (at > 0 && typeof value !== 'string' && typeof args[at - 1] !== 'string') out += ' ';
    out += printValue(value);
  });
  return out;
}

const html: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&#34;', "'": '&#39;' };

/** Functions of Go's text/template, then those that Docker adds. `and` and `or` are special forms of the evaluator. */
export const templateFunctions: Readonly<Record<string, TemplateFunction>> = {
  not: (value) => isEmpty(value),
  len: length,
  index,
  slice,
  print,
  printf: (format, ...args) => sprintf(text(format), args),
  println: (...args) => `${args.map(printValue).join(' ')}\n`,
  html: (...args) => print(...args).replace(/[&<>"']/g, (character) => html[character] ?? character),
  urlquery: (...args) => encodeURIComponent(print(...args)).replaceAll('%20', '+'),
  eq: (first, ...others) => {
    if (others.length === 0) throw new TemplateError('missing argument for comparison');
    return others.some((other) => equalValues(first, other));
  },
  ne: (left, right) => !equalValues(left, right),
  lt: (left, right) => lessThan(left, right),
  le: (left, right) => lessThan(left, right) || equalValues(left, right),
  gt: (left, right) => !lessThan(left, right) && !equalValues(left, right),
  ge: (left, right) => !lessThan(left, right),

  json: (value) => goJson(value ?? null),
  join: (items, separator) => {
    if (items === null || items === undefined) return '';
    if (!Array.isArray(items)) throw new TemplateError(`wrong type for value; expected []string; got ${typeof items}`);
    return items.map((item) => (typeof item === 'number' ? printNumber(item) : text(item))).join(text(separator));
  },
  split: (value, separator) => text(value).split(text(separator)),
  lower: (value) => text(value).toLowerCase(),
  upper: (value) => text(value).toUpperCase(),
  title: (value) => titleCase(text(value)),
  truncate: (value, width) => text(value).slice(0, Math.max(0, integer(width))),
  pad: (value, before, after) => ' '.repeat(integer(before)) + text(value) + ' '.repeat(integer(after)),
  ellipsis: (value, width) => ellipsis(text(value), integer(width)),
};

/** In a table's header row these leave the column's title as it is. */
export const headerFunctions: Readonly<Record<string, TemplateFunction>> = {
  ...templateFunctions,
  ...Object.fromEntries(['json', 'title', 'lower', 'upper', 'truncate', 'split', 'pad', 'ellipsis'].map((name) => [name, (value: unknown) => value])),
};

export const templateFunctionNames: ReadonlySet<string> = new Set([...Object.keys(templateFunctions), 'and', 'or']);
