interface Said {
  /** What a wrong value is, in place of a general word. */
  complaint?: string;
}

/** A key with others below it: those of `keys`, and any whose name fits `names`. */
export interface ObjectKeys extends Said {
  type: 'object';
  keys: Readonly<Record<string, Described>>;
  names?: string;
  values?: Described;
  /** Keys without which the others are of no use. */
  required?: readonly string[];
  /** At least one of these. */
  anyOf?: readonly string[];
  /** A key, and those that it is of no use without. */
  dependencies?: Readonly<Record<string, readonly string[]>>;
}

/** What a value may be; the part of JSON Schema that config.schema.json is made of. */
export type Described =
  | ObjectKeys
  | ({ type: 'boolean' } & Said)
  | ({ type: 'integer'; minimum?: number; maximum?: number } & Said)
  | ({ type: 'string'; pattern?: string; maxLength?: number; enum?: readonly string[] } & Said)
  | ({ type: 'array'; items: Described; maxItems?: number } & Said);

export interface Complaint {
  path: readonly (string | number)[];
  text: string;
}

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type JsonObject = { [key: string]: Json };

export const isObject = (value: Json | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Own keys alone: `__proto__` of a document is a name like any other. */
export const valueOf = (object: Json | undefined, key: string): Json | undefined => (isObject(object) && Object.hasOwn(object, key) ? object[key] : undefined);

/**
 * What counts of a value. Whatever is wrong is named in `complaints`, and has its last good value in its place, or none; of a list, the
 * items that are right count, and the last good list where none is.
 */
export function read(described: Described, value: Json, last: Json | undefined, path: Complaint['path'], complaints: Complaint[]): Json | undefined {
  if (described.type === 'object' && isObject(value)) {
    const good = readObject(described, value, last, path, complaints);
    const missing = incomplete(described, value);
    if (missing !== undefined) complaints.push({ path, text: missing });
    // What lacks a part because that is wrong counts as little as what never had it.
    return missing === undefined && incomplete(described, good) === undefined ? good : last;
  }
  const wrong = fault(described, value);
  if (wrong !== undefined) {
    complaints.push({ path, text: wrong });
    return last;
  }
  if (described.type !== 'array' || !Array.isArray(value)) return value;
  const items = value.flatMap((item, index) => read(described.items, item, undefined, [...path, index], complaints) ?? []);
  return items.length > 0 || value.length === 0 ? items : last;
}

function readObject(described: ObjectKeys, value: JsonObject, last: Json | undefined, path: Complaint['path'], complaints: Complaint[]): JsonObject {
  const result: [string, Json][] = [];
  for (const [key, given] of Object.entries(value)) {
    const named = keyOf(described, key);
    if (named === undefined) complaints.push({ path: [...path, key], text: described.names === undefined ? 'unknown key' : (described.complaint ?? 'not a name') });
    else {
      const good = read(named, given, valueOf(last, key), [...path, key], complaints);
      if (good !== undefined) result.push([key, good]);
    }
  }
  return Object.fromEntries(result);
}

/** What may stand at a key: one of those that are listed, or one by a name of its own. */
export function keyOf({ keys, names, values }: ObjectKeys, key: string): Described | undefined {
  if (Object.hasOwn(keys, key)) return keys[key];
  return names !== undefined && new RegExp(names, 'u').test(key) ? values : undefined;
}

/** What an object lacks to be of use. */
function incomplete({ required = [], anyOf = [], dependencies = {} }: ObjectKeys, value: JsonObject): string | undefined {
  const has = (key: string): boolean => valueOf(value, key) !== undefined;
  const absent = required.find((key) => !has(key));
  if (absent !== undefined) return `without ${absent}`;
  if (anyOf.length > 0 && !anyOf.some(has)) return `without ${anyOf.join(' or ')}`;
  for (const [key, others] of Object.entries(dependencies)) {
    const other = has(key) ? others.find((name) => !has(name)) : undefined;
    if (other !== undefined) return `${key} without ${other}`;
  }
  return undefined;
}

/** What is wrong with the value itself; its parts are another matter. */
function fault(described: Described, value: Json): string | undefined {
  switch (described.type) {
    case 'boolean':
      return typeof value === 'boolean' ? undefined : 'neither true nor false';
    case 'integer':
      if (typeof value !== 'number' || !Number.isInteger(value)) return 'not a whole number';
      if (described.minimum !== undefined && value < described.minimum) return `less than ${described.minimum}`;
      return described.maximum !== undefined && value > described.maximum ? `more than ${described.maximum}` : undefined;
    case 'string':
      if (typeof value !== 'string') return described.complaint ?? 'not text';
      if (described.enum !== undefined && !described.enum.includes(value)) return `none of ${described.enum.join(', ')}`;
      if (described.maxLength !== undefined && characters(value) > described.maxLength) return `longer than ${described.maxLength} characters`;
      return described.pattern !== undefined && !new RegExp(described.pattern, 'u').test(value) ? (described.complaint ?? 'not of the right form') : undefined;
    case 'array':
      if (!Array.isArray(value)) return 'not a list';
      return described.maxItems !== undefined && value.length > described.maxItems ? `more than ${described.maxItems} of them` : undefined;
    case 'object':
      return 'not an object';
  }
}

/** Code points, as JSON Schema counts. */
function characters(text: string): number {
  return text.length - (text.match(/[\uD800-\uDBFF][\uDC00-\uDFFF]/g)?.length ?? 0);
}

/** "os.sshKeys[0]: not a public key", on one line whatever a key is called. */
export function complaintText({ path, text }: Complaint): string {
  const place = path.map((part, index) => (typeof part === 'number' ? `[${part}]` : `${index === 0 ? '' : '.'}${part}`)).join('');
  return `${place === '' ? '' : `${printable(place)}: `}${text}`;
}

function printable(text: string): string {
  const short = text.length > 100 ? `${text.slice(0, 100)}…` : text;
  return short.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '?');
}
